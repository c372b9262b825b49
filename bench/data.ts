import { copyFileSync, cpSync, createReadStream, createWriteStream, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** Every run makes the same data: a generator of its own (xorshift32), seeded by a number. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  /** 0 … limit - 1. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

const WORDS = Array.from({ length: 3000 }, (_, index) => {
  const dice = new Dice(index * 7919 + 1);
  return Array.from({ length: 2 + dice.below(9) }, () => String.fromCharCode(97 + dice.below(26))).join('');
});
const SHARE_OF_NOISE = 10;

/** Lines of words, the common ones often: compresses about as program text does. */
export function text(dice: Dice, bytes: number): Buffer {
  const parts: string[] = [];
  for (let length = 0, word = ''; length < bytes; length += word.length + 1) {
    word = WORDS[Math.floor(WORDS.length * (dice.below(1000) / 1000) ** 3)] as string;
    parts.push(word, dice.below(9) === 0 ? '\n' : ' ');
  }
  return Buffer.from(parts.join(''), 'latin1').subarray(0, bytes);
}

export function noise(dice: Dice, bytes: number): Buffer {
  const words = new Uint32Array(Math.ceil(bytes / 4));
  for (let index = 0; index < words.length; index++) words[index] = dice.below(2 ** 32 - 1);
  return Buffer.from(words.buffer).subarray(0, bytes);
}

/** A tree of files, most of them small, one in ten incompressible, 40 in a directory. */
export function makeTree(root: string, files: number): void {
  const dice = new Dice(1);
  for (let index = 0; index < files; index++) {
    const folder = join(root, `part-${Math.floor(index / 800)}`, `folder-${Math.floor(index / 40) % 20}`);
    if (index % 40 === 0) mkdirSync(folder, { recursive: true });
    const bytes = Math.floor(200 * 2 ** (dice.below(1000) / 90));
    writeFileSync(join(folder, `file-${index}.txt`), index % SHARE_OF_NOISE === 0 ? noise(dice, bytes) : text(dice, bytes));
  }
}

/** A text of rows like a dump's. */
export function makeStream(file: string, megabytes: number): void {
  const dice = new Dice(2);
  writeFileSync(file, '');
  for (let row = 0, part = 0; part < megabytes; part++) {
    const rows: string[] = [];
    for (let length = 0; length < 1_000_000; length += (rows.at(-1) as string).length) rows.push(`${++row}\t${dice.below(1e9)}\t2026-01-${1 + (row % 28)}\t${text(dice, 40 + dice.below(120)).toString('latin1').replaceAll('\n', ' ')}\n`);
    writeFileSync(file, rows.join(''), { flag: 'a' });
  }
}

const RUN_EVERY_BYTES = 11_000_000;

/** The same stream with 1 % of its bytes changed, in 4 to 100 runs spread evenly: digits and letters move on by one. */
export async function changeStream(from: string, to: string): Promise<void> {
  const { size } = statSync(from);
  const stride = Math.ceil(size / Math.min(100, Math.max(4, Math.round(size / RUN_EVERY_BYTES))));
  let at = 0;
  const change = new Transform({
    transform(bytes: Buffer, _, done) {
      for (let index = 0; index < bytes.length; index++, at++) if (at % stride < stride / 100) bytes[index] = moved(bytes[index] as number);
      done(null, bytes);
    },
  });
  await pipeline(createReadStream(from), change, createWriteStream(to));
}

function moved(byte: number): number {
  const isLetterOrDigit = (byte >= 48 && byte < 57) || (byte >= 97 && byte < 122);
  return isLetterOrDigit ? byte + 1 : byte;
}

/** A copy of a tree of which every hundredth file can be changed and changed back, however often. */
export class ChangingTree {
  readonly root: string;
  readonly #aside: string;
  readonly #chosen: string[];

  constructor(source: string, work: string) {
    this.root = join(work, 'tree');
    this.#aside = join(work, 'aside');
    cpSync(source, this.root, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    this.#chosen = filesBelow(this.root).filter((_, index) => index % 100 === 50);
  }

  /** By renames, so that all other files keep their inodes and times. */
  change(): void {
    for (const path of this.#chosen) {
      const aside = join(this.#aside, path);
      mkdirSync(dirname(aside), { recursive: true });
      renameSync(join(this.root, path), aside);
      copyFileSync(aside, join(this.root, path));
      writeFileSync(join(this.root, path), `changed ${path}\n`, { flag: 'a' });
    }
  }

  /** Does nothing while nothing is changed. */
  changeBack(): void {
    if (!existsSync(this.#aside)) return;
    for (const path of this.#chosen) renameSync(join(this.#aside, path), join(this.root, path));
    rmSync(this.#aside, { recursive: true, force: true });
  }
}

export function filesBelow(root: string, below = ''): string[] {
  return readdirSync(join(root, below), { withFileTypes: true })
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => (entry.isDirectory() ? filesBelow(root, join(below, entry.name)) : entry.isFile() ? [join(below, entry.name)] : []));
}
