import { BackwardBits, highestBit } from './bits.ts';
import { FseState, buildTable, readFrequencies } from './fse.ts';

const MAX_BITS = 11;
const MAX_SYMBOLS = 256;

/** Codes of literals (RFC 8878 §4.2): by the next `bits` bits, which symbol, and how many of them are its code. */
export interface HuffmanTable {
  readonly bits: number;
  readonly symbols: Uint8Array;
  readonly lengths: Uint8Array;
}

export function readHuffmanTable(bytes: Uint8Array): { readonly table: HuffmanTable; readonly used: number } {
  const head = bytes[0] ?? 0;
  const count = head - 127;
  const used = 1 + (head < 128 ? head : (count + 1) >> 1);
  if (used > bytes.length) throw new Error('a table of literals ends early');
  const body = bytes.subarray(1, used);
  return { table: build(head < 128 ? compressedWeights(body) : plainWeights(body, count)), used };
}

function plainWeights(bytes: Uint8Array, count: number): number[] {
  return Array.from({ length: count }, (_, index) => (index % 2 === 0 ? (bytes[index >> 1] as number) >> 4 : (bytes[index >> 1] as number) & 15));
}

/** Two states take turns until the stream is at its end; the other one still holds a symbol then. */
function compressedWeights(bytes: Uint8Array): number[] {
  const { log, frequencies, used } = readFrequencies(bytes, 6, MAX_SYMBOLS);
  const table = buildTable(log, frequencies);
  const bits = new BackwardBits(bytes.subarray(used));
  const states = [new FseState(table, bits), new FseState(table, bits)] as const;
  const weights: number[] = [];
  for (let turn = 0; weights.length < MAX_SYMBOLS; turn = 1 - turn) {
    const state = states[turn] as FseState;
    weights.push(state.symbol);
    state.advance();
    if (bits.left >= 0) continue;
    weights.push((states[1 - turn] as FseState).symbol);
    return weights;
  }
  throw new Error('a table of literals has too many symbols');
}

/** The last weight is not stored: it fills the table. */
function build(weights: number[]): HuffmanTable {
  const sum = weights.reduce((total, weight) => total + (weight > 0 ? 1 << (weight - 1) : 0), 0);
  if (sum === 0) throw new Error('a table of literals is empty');
  const bits = highestBit(sum) + 1;
  const rest = (1 << bits) - sum;
  if (bits > MAX_BITS || (rest & (rest - 1)) !== 0 || weights.length >= MAX_SYMBOLS) throw new Error('the weights of literals do not add up');
  weights.push(highestBit(rest) + 1);
  const table = { bits, symbols: new Uint8Array(1 << bits), lengths: new Uint8Array(1 << bits) };
  let position = 0;
  for (let weight = 1; weight <= bits; weight++) {
    for (const [symbol, own] of weights.entries()) {
      if (own !== weight) continue;
      const end = position + (1 << (weight - 1));
      table.symbols.fill(symbol, position, end);
      table.lengths.fill(bits + 1 - weight, position, end);
      position = end;
    }
  }
  return table;
}

/** Fills `target` with what one stream holds, exactly. */
export function decodeLiterals({ bits: width, symbols, lengths }: HuffmanTable, bytes: Uint8Array, target: Uint8Array): void {
  const bits = new BackwardBits(bytes);
  for (let index = 0; index < target.length; index++) {
    const code = bits.peek(width);
    target[index] = symbols[code] as number;
    bits.left -= lengths[code] as number;
  }
  if (bits.left !== 0) throw new Error('a stream of literals does not end where it should');
}
