import { BackwardBits } from './bits.ts';
import { FseState, buildTable, constantTable, readFrequencies } from './fse.ts';
import type { FseTable } from './fse.ts';
import { decodeLiterals, readHuffmanTable } from './huffman.ts';
import type { HuffmanTable } from './huffman.ts';
import type { Output } from './zstd.ts';

/** What a block may take over from those before it in the same frame. */
interface BlockState {
  huffman: HuffmanTable | undefined;
  readonly tables: (FseTable | undefined)[];
  readonly recent: [number, number, number];
}

export function newBlockState(): BlockState {
  return { huffman: undefined, tables: [undefined, undefined, undefined], recent: [1, 4, 8] };
}

const MAX_LITERALS = 128 << 10;
const runs = (...pairs: readonly (readonly [value: number, times: number])[]) => pairs.flatMap(([value, times]) => Array.from({ length: times }, () => value));
const sums = (first: number, bits: readonly number[]) => bits.map((_, index) => bits.slice(0, index).reduce((sum, own) => sum + 2 ** own, first));

/** RFC 8878 §3.1.1.3.2.1: extra bits of each code; its base follows from those before. */
const LITERAL_BITS = runs([0, 16], [1, 4], [2, 2], [3, 2], [4, 1], ...[6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16].map((bits) => [bits, 1] as const));
const MATCH_BITS = runs([0, 32], [1, 4], [2, 2], [3, 2], [4, 2], [5, 1], ...[7, 8, 9, 10, 11, 12, 13, 14, 15, 16].map((bits) => [bits, 1] as const));
const LITERAL_BASES = sums(0, LITERAL_BITS);
const MATCH_BASES = sums(3, MATCH_BITS);

/** In the order in which a block describes them: literal lengths, offsets, match lengths. */
const KINDS = [
  { maxLog: 9, symbols: 36, standard: buildTable(6, [4, 3, ...runs([2, 11], [1, 3], [2, 9]), 3, 2, ...runs([1, 5], [-1, 4])]) },
  { maxLog: 8, symbols: 32, standard: buildTable(5, runs([1, 6], [2, 3], [1, 15], [-1, 5])) },
  { maxLog: 9, symbols: 53, standard: buildTable(6, [1, 4, 3, ...runs([2, 6], [1, 37], [-1, 7])]) },
] as const;

export function decodeBlock(bytes: Uint8Array, state: BlockState, output: Output): void {
  const { literals, used } = readLiterals(bytes, state);
  const sequences = bytes.subarray(used);
  const left = sequences.length > 0 ? runSequences(sequences, literals, state, output) : undefined;
  if (left === undefined) throw new Error('a block ends early');
  output.append(left);
}

function readLiterals(bytes: Uint8Array, state: BlockState): { readonly literals: Uint8Array; readonly used: number } {
  const head = bytes[0] ?? 0;
  const [type, format] = [head & 3, (head >> 2) & 3];
  const byte = (index: number) => bytes[index] ?? 0;
  if (type < 2) {
    const headBytes = format === 1 ? 2 : format === 3 ? 3 : 1;
    const size = headBytes === 1 ? head >> 3 : (head >> 4) + (byte(1) << 4) + (headBytes === 3 ? byte(2) << 12 : 0);
    const used = headBytes + (type === 0 ? size : 1);
    if (size > MAX_LITERALS || used > bytes.length) throw new Error('literals end early');
    return { literals: type === 0 ? bytes.subarray(headBytes, used) : new Uint8Array(size).fill(byte(headBytes)), used };
  }
  const [headBytes, width] = ([[3, 10], [3, 10], [4, 14], [5, 18]] as const)[format] as readonly [number, number];
  const value = Array.from({ length: headBytes }, (_, index) => byte(index) * 256 ** index).reduce((sum, one) => sum + one, 0);
  const [size, stored] = [Math.floor(value / 16) % 2 ** width, Math.floor(value / 2 ** (4 + width)) % 2 ** width];
  const used = headBytes + stored;
  if (size > MAX_LITERALS || used > bytes.length) throw new Error('literals end early');
  return { literals: readStreams(bytes.subarray(headBytes, used), { size, streams: format === 0 ? 1 : 4, hasTable: type === 2 }, state), used };
}

function readStreams(bytes: Uint8Array, { size, streams, hasTable }: { readonly size: number; readonly streams: 1 | 4; readonly hasTable: boolean }, state: BlockState): Uint8Array {
  let body = bytes;
  if (hasTable) {
    const { table, used } = readHuffmanTable(bytes);
    state.huffman = table;
    body = bytes.subarray(used);
  }
  const table = state.huffman;
  if (!table) throw new Error('literals without a table');
  const literals = new Uint8Array(size);
  if (streams === 1) decodeLiterals(table, body, literals);
  else {
    const quarter = (size + 3) >> 2;
    let from = 6;
    for (let index = 0; index < 4; index++) {
      const to = index === 3 ? body.length : from + (body[index * 2] ?? 0) + ((body[index * 2 + 1] ?? 0) << 8);
      if (to > body.length || from > to || quarter * 3 > size) throw new Error('streams of literals do not fit');
      decodeLiterals(table, body.subarray(from, to), literals.subarray(quarter * index, index === 3 ? size : quarter * (index + 1)));
      from = to;
    }
  }
  return literals;
}

/** Answers the literals behind the last sequence. */
function runSequences(bytes: Uint8Array, literals: Uint8Array, state: BlockState, output: Output): Uint8Array {
  const [first = 0, second = 0, third = 0] = bytes;
  const count = first < 128 ? first : first < 255 ? ((first - 128) << 8) + second : second + (third << 8) + 0x7f00;
  let position = first < 128 ? 1 : first < 255 ? 2 : 3;
  if (count === 0) return literals;
  const modes = bytes[position++] ?? 0;
  for (const [index, kind] of KINDS.entries()) position += readTable(bytes.subarray(position), (modes >> (6 - index * 2)) & 3, { ...kind, index }, state);
  const bits = new BackwardBits(bytes.subarray(position));
  const [lengths, offsets, matches] = state.tables.map((table) => new FseState(table as FseTable, bits)) as [FseState, FseState, FseState];
  let taken = 0;
  for (let sequence = 1; sequence <= count; sequence++) {
    const [lengthCode, matchCode] = [lengths.symbol, matches.symbol];
    const offsetValue = 2 ** offsets.symbol + bits.read(offsets.symbol);
    const match = (MATCH_BASES[matchCode] as number) + bits.read(MATCH_BITS[matchCode] as number);
    const length = (LITERAL_BASES[lengthCode] as number) + bits.read(LITERAL_BITS[lengthCode] as number);
    if (bits.left < 0 || taken + length > literals.length) throw new Error('sequences take more than there is');
    output.append(literals.subarray(taken, taken + length));
    taken += length;
    output.copy(offsetOf(offsetValue, length, state.recent), match);
    if (sequence < count) for (const one of [lengths, matches, offsets]) one.advance();
  }
  if (bits.left !== 0) throw new Error('sequences do not end where they should');
  return literals.subarray(taken);
}

/** Bytes that the description took. */
function readTable(bytes: Uint8Array, mode: number, { index, maxLog, symbols, standard }: { readonly index: number; readonly maxLog: number; readonly symbols: number; readonly standard: FseTable }, { tables }: BlockState): number {
  if (mode === 0) tables[index] = standard;
  if (mode === 1) {
    if ((bytes[0] ?? symbols) >= symbols) throw new Error('a table holds a code that nobody knows');
    tables[index] = constantTable(bytes[0] as number);
  }
  if (mode === 3 && !tables[index]) throw new Error('a table is to be used again and was not there before');
  if (mode !== 2) return mode === 1 ? 1 : 0;
  const { log, frequencies, used } = readFrequencies(bytes, maxLog, symbols);
  tables[index] = buildTable(log, frequencies);
  return used;
}

/** Values up to 3 mean the offsets used before (RFC 8878 §3.1.1.5). */
function offsetOf(value: number, literalLength: number, recent: BlockState['recent']): number {
  const which = value > 3 ? 3 : value - 1 + (literalLength === 0 ? 1 : 0);
  const offset = value > 3 ? value - 3 : which === 3 ? recent[0] - 1 : (recent[which] as number);
  if (which === 0) return offset;
  if (which > 1) recent[2] = recent[1];
  recent[1] = recent[0];
  recent[0] = offset;
  return offset;
}
