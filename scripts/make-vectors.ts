/**
 * Makes `test/vectors/v1` once: a small vault with every kind of object that a backup writes, what is in it, and what
 * must fail. It refuses to run when the vectors are there: they are frozen, and a newer Holdfast has to read them as
 * they are. `node scripts/make-vectors.ts [FOLDER]`
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import { runBackup } from '../lib/backup/run-backup.ts';
import { createKeyFile } from '../lib/keyring/key-file.ts';
import { passphraseWrapper } from '../lib/keyring/passphrase.ts';
import { createSlots, rotate, writeSlots } from '../lib/keyring/slots.ts';
import { fromText } from '../lib/model/byte-string.ts';
import { systemClock } from '../lib/model/clock.ts';
import { newHexId } from '../lib/model/ids.ts';
import type { PlanId, WriterId } from '../lib/model/ids.ts';
import { newRepositoryConfig, openRepository, writeConfig, writeVerdict } from '../lib/repository/index.ts';
import type { Repository, RepositoryConfig } from '../lib/repository/index.ts';
import { CommandSource } from '../lib/sources/command.ts';
import { filesSource } from '../lib/sources/files.ts';
import type { Source } from '../lib/sources/source.ts';
import { openDirectoryStore } from '../lib/stores/directory-store.ts';
import { changeTree, describeTree, makeTree } from './vectors/source-tree.ts';
import type { ExpectedEntry } from './vectors/source-tree.ts';
import { makeMustFail } from './vectors/must-fail.ts';

const PASSPHRASE = 'correct horse battery staple';
const STREAM = 'CREATE TABLE account (id, amount);\n-- dump complete\n';
const writer = { id: newHexId<WriterId>(), host: 'vectors' };
const plans = { files: newHexId<PlanId>(), dump: newHexId<PlanId>() };
const repositoryRoot = process.cwd();
const target = resolve(process.argv[2] ?? 'test/vectors/v1');
const clock = systemClock;

interface ExpectedBackup {
  readonly backup: string;
  readonly plan: string;
  readonly cipher: string;
  readonly keyNumber: number;
  readonly entries: readonly ExpectedEntry[];
}

if (existsSync(join(target, 'vault'))) throw new Error(`${target} holds vectors already. They are frozen: make a new folder for a new format version.`);
const work = mkdtempSync(join(tmpdir(), 'holdfast-vectors-'));
try {
  // Relative paths, because the manifest keeps the paths of its source.
  process.chdir(work);
  await make();
} finally {
  process.chdir(repositoryRoot);
  rmSync(work, { recursive: true, force: true });
}

async function make(): Promise<void> {
  mkdirSync(target, { recursive: true });
  const store = openDirectoryStore(join(target, 'vault'));
  // Small chunks: a few KiB have to be several of them.
  const config: RepositoryConfig = { ...newRepositoryConfig(), chunker: { files: { min: 4096, avg: 8192, max: 16_384 }, streams: { min: 4096, avg: 8192, max: 16_384 } } };
  const wrappers = [await createKeyFile(join(target, 'holdfast.key')), passphraseWrapper(PASSPHRASE, 'desk', { N: 16_384, r: 8, p: 1 })];
  const first = await createSlots(config.repository, wrappers);
  await writeSlots(store, first.slots);
  await writeConfig(store, config);
  const repository = openRepository(store, config, first.keys);
  const backups: ExpectedBackup[] = [];

  makeTree('tree');
  backups.push(await backUp(repository, plans.files, filesSource([fromText('tree')]), describeTree('tree')));
  changeTree('tree');
  backups.push(await backUp(repository, plans.files, filesSource([fromText('tree')]), describeTree('tree')));

  const second = await rotate(config.repository, first.keys, wrappers);
  await writeSlots(store, second.slots);
  const rotated = openRepository(store, config, second.keys, 'chacha20-poly1305');
  backups.push(await backUp(rotated, plans.dump, dump(), [{ path: base64('dump.sql'), type: 'stream', mode: 0o600, size: STREAM.length, sha256: createHash('sha256').update(STREAM).digest('hex') }]));
  await writeVerdict(rotated, { backup: backups[0]?.backup ?? '', level: 'full', result: 'good', damaged: [] });

  writeFileSync(join(target, 'expected.json'), JSON.stringify({ repository: config.repository, passphrase: PASSPHRASE, backups }, null, 1) + '\n');
  await makeMustFail(rotated, target);
  rmSync(join(target, 'vault', 'tmp'), { recursive: true, force: true });
}

async function backUp(repository: Repository, plan: PlanId, source: Source, entries: readonly ExpectedEntry[]): Promise<ExpectedBackup> {
  const { manifest } = await runBackup(
    { repository, writer, plan: { id: plan, name: plan === plans.files ? 'files' : 'dump' }, source, type: 'incremental', packClass: 'hot', compression: { algorithm: 'zstd', level: 3 }, threads: 1 },
    { clock, signal: new AbortController().signal, startThread: (workerData) => new Worker(new URL('../lib/engine/worker.ts', import.meta.url), { workerData }) },
  );
  return { backup: manifest.backup, plan, cipher: repository.cipher, keyNumber: repository.keys.current, entries };
}

function dump(): Source {
  writeFileSync('dump', STREAM);
  return new CommandSource({ command: 'cat dump', name: fromText('dump.sql'), minimumBytes: 1, endMarker: '-- dump complete', environment: process.env, temporaryFolder: work, clock });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
