import type { ByteString } from '../../../lib/model/byte-string.ts';

/** Few characters, so that keys collide in all the ways in which keys can: below, at and above the slash, and of no path. */
const PIECES = ['a', 'b', '-', '.', '..', '/', '/', '0', '!', ' ', '\0', '\x01', '\x02', '\xc3\xa9', 'x'.repeat(120), 'y'.repeat(251)];

/** The same for the same seed; unsorted, and some of them twice. */
export function randomKeys(seed: number, count: number, pieces: readonly string[] = PIECES, most = 8): ByteString[] {
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
  return Array.from({ length: count }, () => Array.from({ length: 1 + below(most) }, () => pieces[below(pieces.length)] ?? '').join('').slice(0, 1024) as ByteString);
}

export function isOdd(key: string): boolean {
  // oxlint-disable-next-line no-control-regex -- those are odd
  return key.split('/').some((component) => component === '' || component.length > 250 || /^\.{0,2}($|[\x00-!])|[\x00\x01]/.test(component));
}
