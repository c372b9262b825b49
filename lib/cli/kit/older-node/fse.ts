import { BackwardBits, ForwardBits, highestBit } from './bits.ts';

/** A table of finite state entropy (RFC 8878 §4.1): what each state stands for, and how the next is found. */
export interface FseTable {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

/** Frequencies as a block describes them; `used` are the bytes of the description. */
export function readFrequencies(bytes: Uint8Array, maxLog: number, maxSymbols: number): { readonly log: number; readonly frequencies: number[]; readonly used: number } {
  const bits = new ForwardBits(bytes);
  const log = bits.read(4) + 5;
  if (log > maxLog) throw new Error(`a table has an accuracy of ${log} bits, at most ${maxLog} are allowed`);
  const frequencies: number[] = [];
  let remaining = 1 << log;
  while (remaining > 0) {
    const frequency = readFrequency(bits, remaining);
    remaining -= Math.abs(frequency);
    frequencies.push(frequency);
    for (let zeroes = frequency === 0 ? 3 : 0; zeroes === 3; ) {
      zeroes = bits.read(2);
      for (let count = zeroes; count > 0; count--) frequencies.push(0);
    }
    if (frequencies.length > maxSymbols) throw new Error('a table has too many symbols');
  }
  if (remaining !== 0) throw new Error('the frequencies of a table do not add up');
  return { log, frequencies, used: bits.usedBytes };
}

/** -1: less than one. */
function readFrequency(bits: ForwardBits, remaining: number): number {
  const count = highestBit(remaining + 1) + 1;
  const value = bits.read(count);
  const low = value & ((1 << (count - 1)) - 1);
  const threshold = (1 << count) - 1 - (remaining + 1);
  if (low < threshold) {
    bits.giveBack(1);
    return low - 1;
  }
  return (value > (1 << (count - 1)) - 1 ? value - threshold : value) - 1;
}

export function buildTable(log: number, frequencies: readonly number[]): FseTable {
  const size = 1 << log;
  const table = { log, symbols: new Uint8Array(size), bits: new Uint8Array(size), bases: new Uint16Array(size) };
  const next = spread(frequencies, table.symbols);
  for (let state = 0; state < size; state++) {
    const symbol = table.symbols[state] as number;
    const count = next[symbol] as number;
    next[symbol] = count + 1;
    const bits = log - highestBit(count);
    table.bits[state] = bits;
    table.bases[state] = (count << bits) - size;
  }
  return table;
}

/** Rare symbols stand at the end, the others are strewn over the table by a fixed step. Answers how often each is there. */
function spread(frequencies: readonly number[], symbols: Uint8Array): number[] {
  const size = symbols.length;
  const counts = frequencies.map(Math.abs);
  let end = size;
  for (const [symbol, frequency] of frequencies.entries()) if (frequency < 0) symbols[--end] = symbol;
  const step = (size >> 1) + (size >> 3) + 3;
  let position = 0;
  for (const [symbol, frequency] of frequencies.entries()) {
    for (let count = frequency; count > 0; count--) {
      symbols[position] = symbol;
      do position = (position + step) & (size - 1);
      while (position >= end);
    }
  }
  return counts;
}

/** One symbol whatever the state. */
export function constantTable(symbol: number): FseTable {
  return { log: 0, symbols: Uint8Array.of(symbol), bits: new Uint8Array(1), bases: new Uint16Array(1) };
}

/** Where in a table a stream is. */
export class FseState {
  readonly #table: FseTable;
  readonly #bits: BackwardBits;
  #state: number;

  constructor(table: FseTable, bits: BackwardBits) {
    this.#table = table;
    this.#bits = bits;
    this.#state = bits.read(table.log);
  }

  get symbol(): number {
    return this.#table.symbols[this.#state] as number;
  }

  advance(): void {
    this.#state = (this.#table.bases[this.#state] as number) + this.#bits.read(this.#table.bits[this.#state] as number);
  }
}
