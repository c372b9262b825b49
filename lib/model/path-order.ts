/** Order of entries: component by component, bytes (format §7). The first `shared` bytes are known to be equal. */
export function comparePaths(left: string, right: string, shared = 0): number {
  if (left === right) return 0;
  const end = Math.min(left.length, right.length);
  let index = shared;
  while (index < end && left.charCodeAt(index) === right.charCodeAt(index)) index++;
  // '/' ends a component, so it sorts before every other byte; the end of the path sorts before that.
  return rank(left, index) - rank(right, index);
}

function rank(path: string, index: number): number {
  if (index >= path.length) return -2;
  const code = path.charCodeAt(index);
  return code === 47 ? -1 : code;
}
