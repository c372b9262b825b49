/** `listed`: `schema name owner` without quotes, where each may hold spaces; `there`: `"schema"."name"`, quoted where needed. */
export function missingTables(listed: readonly string[], there: readonly string[]): string[] {
  const known = new Set(there.map((name) => name.replaceAll('""', '\0').replaceAll('"', '').replaceAll('\0', '"').replace('.', ' ')));
  return listed.filter((line) => {
    const words = line.split(' ');
    return !words.some((_, end) => known.has(words.slice(0, end).join(' ')));
  });
}
