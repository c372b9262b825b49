/**
 * Makes one set of the frozen vectors below `test/vectors`, once: a small vault, what is in it, and what must fail. It
 * refuses to run when the set is there: vectors are frozen, and a newer Holdfast has to read them as they are.
 * `node scripts/make-vectors.ts v1|v1-kinds|v1-wal [FOLDER]`
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeKinds } from './vectors/v1-kinds.ts';
import { makeWal } from './vectors/v1-wal.ts';
import { makeV1 } from './vectors/v1.ts';

const SETS: Readonly<Record<string, (target: string) => Promise<void>>> = { v1: makeV1, 'v1-kinds': makeKinds, 'v1-wal': makeWal };

const [set = '', folder = join('test', 'vectors', set)] = process.argv.slice(2);
const make = SETS[set];
if (!make) throw new Error(`There is no set ${JSON.stringify(set)} of vectors, wanted one of ${Object.keys(SETS).join(', ')}.`);
const target = resolve(folder);
if (existsSync(join(target, 'vault'))) throw new Error(`${target} holds vectors already. They are frozen: make a new set for what is new.`);
const startedIn = process.cwd();
const work = mkdtempSync(join(tmpdir(), 'holdfast-vectors-'));
try {
  // Relative paths, because the manifest keeps the paths of its source.
  process.chdir(work);
  mkdirSync(target, { recursive: true });
  await make(target);
  rmSync(join(target, 'vault', 'tmp'), { recursive: true, force: true });
} finally {
  process.chdir(startedIn);
  rmSync(work, { recursive: true, force: true });
}
