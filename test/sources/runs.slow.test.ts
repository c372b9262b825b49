import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Worker } from 'node:worker_threads';
import { runBackup } from '../../lib/backup/run-backup.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { BackupId, PlanId, WriterId } from '../../lib/model/ids.ts';
import { ChunkReader, SnapshotReader, isSnapshotFile, listSnapshots, names, newRepositoryConfig, openRepository } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import type { CommandOptions } from '../../lib/sources/command.ts';
import { makePipe } from '../../lib/sources/pipe.ts';
import type { Source } from '../../lib/sources/source.ts';
import { SqliteSource } from '../../lib/sources/sqlite.ts';
import { StdinSource } from '../../lib/sources/stdin.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { failure } from './reading.ts';

const plan = { id: newHexId<PlanId>(), name: 'dump' };
const writer = { id: newHexId<WriterId>(), host: 'test' };
let folder: string;
let repository: Repository;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-runs-'));
  repository = openRepository(new MemoryStore(systemClock), newRepositoryConfig(), { pairs: [{ number: 1, meta: randomBytes(32), data: randomBytes(32) }], chunker: randomBytes(32) });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a run of a stream source', () => {
  it.each([
    ['exits 1 after 100 MB', { command: 'head -c 100000000 /dev/zero; exit 1' }],
    ['is killed', { command: 'head -c 1000000 /dev/urandom; kill -KILL $$' }],
    ['stays under its floor', { command: 'printf 12345', minimumBytes: 6 }],
    ['lacks its end marker', { command: 'printf 12345', endMarker: 'complete' }],
  ])('whose command %s leaves no backup, and the last good one stays the newest (S12)', async (_what, options) => {
    const good = await run(command({ command: 'echo good' }));
    expect((await failure(run(command(options)))).code).toBe('source-failed');
    expect((await listSnapshots(repository.store)).map(({ name }) => name)).toEqual([names.snapshot(plan.id, good)]);
    expect(await Array.fromAsync(repository.store.list('refs/'))).toHaveLength(1);
    const next = await run(command({ command: 'echo better' }));
    const { manifest } = await SnapshotReader.open(repository, names.snapshot(plan.id, next));
    expect(manifest).toMatchObject({ sequence: 2, predecessors: [{ backup: good }] });
  });

  it('keeps a large output byte for byte, and what proved it', async () => {
    const content = randomBytes(20_000_000);
    writeFileSync(join(folder, 'content'), content);
    const backup = await run(command({ command: `cat ${join(folder, 'content')}` }));
    expect((await contentOf(backup)).equals(content)).toBe(true);
  });

  it('ends soon after an abort, though the command is silent', async () => {
    await expectQuickAbort(command({ command: 'echo begun; exec sleep 1000' }));
  });

  it('ends soon after an abort, though standard input is silent', async () => {
    const { readEnd, writeEnd } = await makePipe(folder);
    try {
      await expectQuickAbort(new StdinSource({ name: fromText('dump.sql'), minimumBytes: 1, clock: systemClock, fd: readEnd }));
    } finally {
      closeSync(readEnd);
      closeSync(writeEnd);
    }
  });

  it('ends soon after an abort, though standard input never ends', async () => {
    const { readEnd, writeEnd } = await makePipe(folder);
    const producer = spawn('cat', ['/dev/zero'], { stdio: ['ignore', writeEnd, 'ignore'] });
    closeSync(writeEnd);
    try {
      await expectQuickAbort(new StdinSource({ name: fromText('dump.sql'), minimumBytes: 1, clock: systemClock, fd: readEnd }));
    } finally {
      producer.kill('SIGKILL');
      closeSync(readEnd);
    }
  });

  it('keeps an SQLite database that opens again (S5)', async () => {
    const path = join(folder, 'shop.db');
    const database = new DatabaseSync(path);
    database.exec("PRAGMA journal_mode=WAL; CREATE TABLE account (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO account (note) VALUES ('kept')");
    const backup = await run(new SqliteSource({ path, scratchFolder: join(folder, 'scratch'), clock: systemClock }));
    database.close();
    writeFileSync(join(folder, 'restored.db'), await contentOf(backup));
    const restored = new DatabaseSync(join(folder, 'restored.db'));
    expect({ ...restored.prepare('SELECT note FROM account').get() }).toEqual({ note: 'kept' });
    expect({ ...restored.prepare('PRAGMA integrity_check').get() }).toEqual({ integrity_check: 'ok' });
    restored.close();
  });
});

async function expectQuickAbort(source: Source): Promise<void> {
  const stop = new AbortController();
  setTimeout(() => stop.abort(), 500);
  const begun = systemClock.now();
  expect((await failure(run(source, stop.signal))).code).toBe('interrupted');
  expect(systemClock.now() - begun).toBeLessThan(5000);
  expect(await listSnapshots(repository.store)).toEqual([]);
}

function command(options: Pick<CommandOptions, 'command'> & Partial<CommandOptions>): Source {
  return new CommandSource({ name: fromText('dump.sql'), minimumBytes: 1, environment: { PATH: process.env['PATH'] }, temporaryFolder: folder, clock: systemClock, ...options });
}

async function run(source: Source, signal: AbortSignal = new AbortController().signal): Promise<BackupId> {
  const { manifest } = await runBackup(
    { repository, writer, plan, source, type: 'incremental', packClass: 'hot', compression: { algorithm: 'zstd', level: 1 }, threads: 1 },
    { clock: systemClock, signal, startThread: (workerData) => new Worker(join(__dirname, '..', '..', 'lib', 'engine', 'worker.ts'), { workerData }) },
  );
  return manifest.backup as BackupId;
}

async function contentOf(backup: BackupId): Promise<Buffer> {
  const reader = await SnapshotReader.open(repository, names.snapshot(plan.id, backup));
  const chunks = new ChunkReader(repository.store, repository.keys, 'frame', async (name) => (await repository.store.stat(name)).size);
  const parts: Uint8Array[] = [];
  for await (const entry of reader.entries()) {
    if (!isSnapshotFile(entry)) continue;
    for (const { id, packId } of await reader.chunksOf(entry)) parts.push((await chunks.read(reader.pack(packId).name, id)) as Uint8Array);
  }
  return Buffer.concat(parts);
}
