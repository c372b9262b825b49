import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import { RedisDirectoryLoader } from '../../../lib/sources/redis/directory-loader.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startRedis } from '../../support/servers/redis.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import { failure } from '../reading.ts';
import { everything, fillAwkward } from './awkward.ts';
import { sourceFor } from './desk.ts';

const KINDS = ['redis', 'valkey'] as const;
let folder: string;
let place: string;
const made = new Map<string, { readonly server: RedisServer; readonly held: string[]; readonly reader: SnapshotReader }>();
const of = (kind: string) => made.get(kind) as NonNullable<ReturnType<typeof made.get>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-directory-'));
  await Promise.all(KINDS.map(async (kind) => {
    const server = await startRedis({ kind });
    await fillAwkward(server, kind);
    const repository = testRepository();
    const { manifest } = await backUp(repository, sourceFor(server, folder));
    made.set(kind, { server, held: await everything(server), reader: await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup)) });
  }));
}, 60_000);
beforeEach(() => (place = mkdtempSync(join(folder, 'place-'))));
afterAll(async () => {
  await Promise.all([...made.values()].map(({ server }) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

async function plan(kind: string, directory: string, wanted: Partial<LoadRequest> = {}) {
  return planDatabaseRestore(of(kind).reader, new RedisDirectoryLoader({ directory }), { wanted: { mode: 'empty', ...wanted }, signal: new AbortController().signal });
}

async function restore(kind: string, directory: string, signal = new AbortController().signal) {
  const ready = await plan(kind, directory);
  const [report] = await executeDatabaseRestore(ready, { clock: systemClock, signal });
  expect(await ready.loads[0]?.missingTables(signal)).toEqual([]);
  return report;
}

describe.each(KINDS)('a restore into the directory of a stopped %s (S4, R1)', (kind) => {
  it.each(['no', 'yes'])('is what the server comes up with, with appendonly %s', async (appendOnly) => {
    await restore(kind, place);
    const server = await startRedis({ kind, folder: place, settings: ['--appendonly', appendOnly] });
    try {
      expect(await everything(server)).toEqual(of(kind).held);
      // What is written afterwards is there after a crash, too: the files are ones that the server goes on with.
      if (appendOnly === 'yes') await server.ask('SET', 'later', '1');
    } finally {
      await server.kill();
    }
    if (appendOnly === 'no') return;
    const again = await startRedis({ kind, folder: place, settings: ['--appendonly', 'yes'] });
    expect(await again.ask('GET', 'later')).toEqual(Buffer.from('1'));
    await again.stop();
  });
});

describe('a restore into a directory (S4, R1)', () => {
  it('makes a directory that is not there, for its owner alone, and says what it holds', async () => {
    const report = await restore('redis', join(place, 'new', 'place'));
    expect(readdirSync(join(place, 'new', 'place')).sort()).toEqual(['appendonlydir', 'dump.rdb']);
    expect(statSync(join(place, 'new', 'place', 'dump.rdb')).mode & 0o777).toBe(0o600);
    expect(report).toMatchObject({ tables: [{ table: '0', rows: 25 }, { table: '3', rows: 1 }, { table: '15', rows: 1 }], warnings: [] });
  });

  it('gives everything to the owner of the directory', async () => {
    if (process.getuid?.() !== 0) return;
    const { chownSync } = await import('node:fs');
    chownSync(place, 4242, 4243);
    await restore('redis', place);
    for (const name of ['dump.rdb', 'appendonlydir', 'appendonlydir/appendonly.aof.1.base.rdb', 'appendonlydir/appendonly.aof.manifest']) expect(statSync(join(place, name))).toMatchObject({ uid: 4242, gid: 4243 });
  });

  it.each(['dump.rdb', 'appendonlydir', 'appendonly.aof'])('refuses a directory that has %s, and leaves it', async (name) => {
    if (name.endsWith('dir')) mkdirSync(join(place, name));
    else writeFileSync(join(place, name), 'mine');
    expect(await failure(plan('redis', place))).toMatchObject({ code: 'target-exists', message: expect.stringContaining(`has ${name} already`) });
    expect(readdirSync(place)).toEqual([name]);
  });

  it('refuses the directory of a server that runs', async () => {
    expect(await failure(plan('redis', of('redis').server.folder))).toMatchObject({ code: 'busy', message: expect.stringContaining(`pid ${of('redis').server.pid}`), nextStep: expect.stringContaining('Stop it first') });
  });

  it.each<Partial<LoadRequest>>([{ mode: 'clean' }, { mode: 'keep' }, { tables: ['a'] }, { schemas: ['a'] }, { jobs: 2 }])('refuses %j', async (wanted) => {
    expect(await failure(plan('redis', place, wanted))).toMatchObject({ code: 'usage' });
  });

  it('leaves nothing when it is stopped, and what is cut afterwards is missed', async () => {
    expect(await failure(restore('redis', place, AbortSignal.abort(new Error('enough'))))).toMatchObject({ code: 'interrupted' });
    expect(readdirSync(place)).toEqual([]);
    const ready = await plan('redis', place);
    await executeDatabaseRestore(ready, { clock: systemClock, signal: new AbortController().signal });
    truncateSync(join(place, 'dump.rdb'), statSync(join(place, 'dump.rdb')).size - 1);
    expect(existsSync(join(place, 'dump.rdb'))).toBe(true);
    expect(await ready.loads[0]?.missingTables(new AbortController().signal)).toEqual(['dump.rdb', 'appendonlydir/appendonly.aof.1.base.rdb']);
  });
});
