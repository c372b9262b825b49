import type { SeededRandom } from '../../simulation/dice.ts';

/** What one mutation may draw on. */
export interface Material {
  /** Real inputs of the same decoder, to take pieces from. */
  readonly examples: readonly Uint8Array[];
  /** Words that its grammar gives a meaning. */
  readonly words: readonly Uint8Array[];
}

type Change = (dice: SeededRandom, bytes: Buffer, material: Material) => Buffer;

/** Lengths that lie: around every width of a number, and far beyond what any input holds. */
const NUMBERS = [0, 1, 2, 15, 16, 31, 32, 48, 127, 128, 129, 255, 256, 16_383, 16_384, 65_535, 65_536, 2 ** 20, 2 ** 24, 2 ** 26, 2 ** 26 + 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 52, 2 ** 53 - 1];
const BYTES = [0, 1, 0x0a, 0x20, 0x22, 0x2f, 0x5b, 0x7b, 0x7f, 0x80, 0xc0, 0xed, 0xff];

const CHANGES: readonly Change[] = [
  (dice, bytes) => overwritten(bytes, dice.pick(bytes.length), Buffer.of((bytes[dice.pick(bytes.length)] ?? 0) ^ (1 << dice.pick(8)))),
  (dice, bytes) => overwritten(bytes, dice.pick(bytes.length), Buffer.of(dice.from(BYTES))),
  (dice, bytes) => overwritten(bytes, dice.pick(bytes.length), varint(dice.from(NUMBERS))),
  (dice, bytes) => replaced(bytes, dice.pick(bytes.length), 1, varint(dice.from(NUMBERS))),
  (dice, bytes) => overwritten(bytes, dice.pick(bytes.length), u32(dice.from(NUMBERS))),
  (dice, bytes) => replaced(bytes, dice.pick(bytes.length), 1 + dice.pick(16), Buffer.alloc(0)),
  (dice, bytes) => bytes.subarray(0, dice.pick(bytes.length + 1)),
  (dice, bytes) => replaced(bytes, dice.pick(bytes.length + 1), 0, Buffer.from(dice.bytes(1 + dice.pick(16)))),
  (dice, bytes) => {
    const from = dice.pick(bytes.length);
    return replaced(bytes, dice.pick(bytes.length), 0, bytes.subarray(from, from + 1 + dice.pick(64)));
  },
  (dice, bytes, { examples }) => {
    const other = Buffer.from(dice.from(examples));
    const from = dice.pick(other.length);
    return replaced(bytes, dice.pick(bytes.length + 1), dice.pick(64), other.subarray(from, from + dice.pick(128)));
  },
  (dice, bytes, { words }) => (words.length === 0 ? bytes : replaced(bytes, dice.pick(bytes.length + 1), dice.pick(8), Buffer.from(dice.from(words)))),
  // The same piece many times: depth, and lists that are long.
  (dice, bytes) => {
    const from = dice.pick(bytes.length);
    const piece = bytes.subarray(from, from + 1 + dice.pick(4));
    return replaced(bytes, from, 0, Buffer.concat(Array.from({ length: 2 ** dice.pick(12) }, () => piece)));
  },
];

/** A few changes of a real input; once in a while nothing but noise. */
export function mutateBytes(dice: SeededRandom, input: Uint8Array, material: Material): Uint8Array {
  if (dice.isOnceIn(50)) return dice.bytes(dice.pick(200));
  let bytes = Buffer.from(input);
  for (let left = 1 + dice.pick(4); left > 0; left--) bytes = dice.from(CHANGES)(dice, bytes, material) as Buffer<ArrayBuffer>;
  return bytes;
}

function overwritten(bytes: Buffer, at: number, piece: Uint8Array): Buffer {
  const copy = Buffer.from(bytes);
  copy.set(piece.subarray(0, Math.max(0, copy.length - at)), Math.min(at, copy.length));
  return copy;
}

function replaced(bytes: Buffer, at: number, count: number, piece: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at + count)]);
}

/** Unsigned LEB128; by its own hand, so that no writer of the product judges what may be written. */
export function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value % 2 ** 32);
  return bytes;
}
