/** Of names, with `*` and `?` for others; everything without patterns. */
export function nameChoice(patterns: readonly string[]): (name: string) => boolean {
  const expressions = patterns.map((pattern) => new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 's'));
  return (name) => expressions.some((expression) => expression.test(name));
}

export function isPattern(text: string): boolean {
  return /[*?]/.test(text);
}
