import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { executeDatabaseRestore, planDatabaseRestore } from '../../../lib/recovery/restore-database.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { LoadRequest } from '../../../lib/sources/database-loader.ts';
import { RedisLoader } from '../../../lib/sources/redis/loader.ts';
import type { RedisLoaderOptions } from '../../../lib/sources/redis/loader.ts';
import type { RedisConnection } from '../../../lib/sources/redis/place.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { startCuttingProxy } from '../../support/servers/cutting-proxy.ts';
import { startRedis } from '../../support/servers/redis.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import { failure } from '../reading.ts';
import { everything, fillAwkward } from './awkward.ts';
import { sourceFor } from './desk.ts';

let folder: string;
let redis: RedisServer;
let valkey: RedisServer;
/** Restored into, and emptied before each test. */
let target: RedisServer;
let ofRedis: SnapshotReader;
let ofValkey: SnapshotReader;
/** What they held when they were backed up. */
let [inRedis, inValkey]: string[][] = [[], []];

async function backedUp(server: RedisServer): Promise<SnapshotReader> {
  const repository = testRepository();
  const { manifest } = await backUp(repository, sourceFor(server, folder));
  return SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup));
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-restore-'));
  [redis, valkey, target] = await Promise.all([startRedis(), startRedis({ kind: 'valkey' }), startRedis()]);
  await Promise.all([fillAwkward(redis, 'redis'), fillAwkward(valkey, 'valkey')]);
  // A value that is larger than what is sent at once, and more keys than are under way together.
  const wide = process.env['HOLDFAST_LONG_DUMPS'] === undefined ? 250_000 : 1_600_000;
  await redis.ask('EVAL', `redis.call('SET', 'wide', string.rep(redis.sha1hex(1), ${wide}))`, '0');
  await redis.ask('EVAL', "for i = 1, 1100 do redis.call('SET', 'many:' .. i, i) end", '0');
  [ofRedis, ofValkey] = await Promise.all([backedUp(redis), backedUp(valkey)]);
  [inRedis, inValkey] = await Promise.all([everything(redis), everything(valkey)]);
}, 60_000);
beforeEach(async () => {
  await target.ask('FLUSHALL');
  await target.ask('FUNCTION', 'FLUSH');
});
afterAll(async () => {
  await Promise.all([redis, valkey, target].map((server) => server?.stop()));
  rmSync(folder, { recursive: true, force: true });
});

interface Changes extends Partial<Omit<RedisLoaderOptions, 'connection'>> {
  readonly into?: RedisServer;
  readonly connection?: Partial<RedisConnection>;
  readonly signal?: AbortSignal;
}

async function planned(reader: SnapshotReader, wanted: Partial<LoadRequest>, { into = target, connection = {}, signal = new AbortController().signal, ...changes }: Changes = {}) {
  const { host, port, password } = into;
  const loader = new RedisLoader({ connection: { host, port, password, ...connection }, clock: systemClock, ...changes });
  return planDatabaseRestore(reader, loader, { wanted: { mode: 'empty', ...wanted }, signal });
}

async function restore(reader: SnapshotReader, wanted: Partial<LoadRequest> = {}, changes: Changes = {}) {
  const signal = changes.signal ?? new AbortController().signal;
  const plan = await planned(reader, wanted, changes);
  const [report] = await executeDatabaseRestore(plan, { clock: systemClock, signal });
  expect(await plan.loads[0]?.missingTables(new AbortController().signal)).toEqual([]);
  return report as NonNullable<typeof report>;
}

const nothing = async () => expect(await everything(target)).toHaveLength(1);

describe('a restore into a running server (S4, R1)', () => {
  it('brings back every key of every database with its value and its end, streams with groups, functions', async () => {
    const report = await restore(ofRedis);
    expect(await everything(target)).toEqual(inRedis);
    expect(report).toMatchObject({ warnings: [], notes: ['libraries of functions: 1'], tables: [{ table: '0', rows: 1126 }, { table: '3', rows: 1 }, { table: '15', rows: 1 }] });
    expect(await target.ask('FCALL', 'twice', '0', '21')).toBe(42);
    // Streams go on where they were: nothing that a consumer had is given to another.
    expect(await target.ask('XPENDING', 'stream', 'readers')).toEqual(await redis.ask('XPENDING', 'stream', 'readers'));
    const next = ['XREADGROUP', 'GROUP', 'readers', 'first', 'COUNT', '3', 'STREAMS', 'stream', '>'];
    expect(await target.ask(...next)).toEqual(await redis.ask(...next));
  });

  it('brings what Valkey 9 holds back into Valkey, with fields that expire', async () => {
    const other = await startRedis({ kind: 'valkey' });
    try {
      await restore(ofValkey, {}, { into: other });
      expect(await everything(other)).toEqual(inValkey);
      expect(await other.ask('HPEXPIRETIME', 'hash:expiring', 'FIELDS', '2', 'goes', 'stays')).toEqual(await valkey.ask('HPEXPIRETIME', 'hash:expiring', 'FIELDS', '2', 'goes', 'stays'));
    } finally {
      await other.stop();
    }
  });

  it('says that an older server does not know a value, and takes away what it had brought', async () => {
    await target.ask('SET', 'of others', 'stays');
    const error = await failure(restore(ofValkey));
    expect(error).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/does not take db0 .*version or checksum.* What had been brought was taken away again/), nextStep: expect.stringContaining('older') });
    expect(await target.ask('KEYS', '*')).toEqual([Buffer.from('of others')]);
    // All that both know goes in, although the file itself is of a version that Redis refuses.
    expect(await restore(ofValkey, { tables: ['sorted:*', 'list:*'] })).toMatchObject({ tables: [{ table: '0', rows: 5 }], warnings: [expect.stringContaining('is of Valkey 9')] });
    expect(await target.ask('ZRANGE', 'sorted:large', '0', '-1')).toEqual(await valkey.ask('ZRANGE', 'sorted:large', '0', '-1'));
  });

  it('refuses when a name is taken, names it, and changes nothing', async () => {
    await target.ask('SET', 'big', 'mine');
    expect(await failure(restore(ofRedis))).toMatchObject({ code: 'target-exists', message: expect.stringMatching(/1 name is taken at .*: db0 big\. Nothing was done\./), nextStep: expect.stringContaining('--keep-existing') });
    await target.ask('DEL', 'big');
    await target.ask('FUNCTION', 'LOAD', "#!lua name=holdfast\nredis.register_function('mine', function() return 1 end)");
    expect(await failure(restore(ofRedis))).toMatchObject({ code: 'target-exists', message: expect.stringContaining('library holdfast') });
    expect(await target.ask('DBSIZE')).toBe(0);
  });

  it('keeps what is there and adds the rest', async () => {
    await target.ask('SET', 'big', 'mine');
    await target.ask('FUNCTION', 'LOAD', "#!lua name=holdfast\nredis.register_function('mine', function() return 1 end)");
    expect(await restore(ofRedis, { mode: 'keep' })).toMatchObject({ warnings: [], notes: ['there already, and as they were: 2'], tables: [{ rows: 1125 }, { rows: 1 }, { rows: 1 }] });
    expect([await target.ask('GET', 'big'), await target.ask('FCALL', 'mine', '0'), await target.ask('DBSIZE')]).toEqual([Buffer.from('mine'), 1, 1126]);
  });

  it('replaces what the backup has, and leaves what it has not', async () => {
    for (const words of [['SET', 'big', 'mine'], ['RPUSH', 'hash:small', 'another type'], ['SET', 'of others', 'stays']]) await target.ask(...words);
    const plan = await planned(ofRedis, { mode: 'clean' });
    expect(plan.loads[0]?.existing).toEqual({ objects: 2, tables: expect.arrayContaining(['db0 big', 'db0 hash:small']) });
    await restore(ofRedis, { mode: 'clean' });
    expect(await target.ask('GET', 'of others')).toEqual(Buffer.from('stays'));
    await target.ask('DEL', 'of others');
    expect(await everything(target)).toEqual(inRedis);
  });

  it('takes one database, or keys by their names, and refuses names that nothing has', async () => {
    expect(await restore(ofRedis, {}, { database: 15 })).toMatchObject({ tables: [{ table: '15', rows: 1 }], notes: [] });
    expect(await restore(ofRedis, { tables: ['list:*', 'text:?'] })).toMatchObject({ tables: [{ table: '0', rows: 4 }] });
    expect(await failure(restore(ofRedis, { tables: ['lst:*'] }))).toMatchObject({ code: 'not-found' });
    expect(await target.ask('DBSIZE')).toBe(4);
  });

  it('does not bring back what has expired since', async () => {
    const later = { ...systemClock, now: () => Date.now() + 100_000_000 };
    expect(await restore(ofRedis, {}, { clock: later })).toMatchObject({ warnings: [], notes: ['libraries of functions: 1', 'expired since the backup was made, and not restored: 1'], tables: [{ rows: 1126 }, { rows: 1 }] });
  });

  it.each<[Partial<LoadRequest>, RegExp]>([[{ mode: 'create' }, /--create/], [{ schemas: ['a'] }, /--schema/], [{ jobs: 3 }, /several jobs/], [{ isWithoutOwners: true }, /--no-owner/]])('refuses %j', async (wanted, message) => {
    expect(await failure(planned(ofRedis, wanted))).toMatchObject({ code: 'usage', message: expect.stringMatching(message) });
  });
});

describe('a restore that fails (S4, R1)', () => {
  it('leaves nothing when it is stopped', async () => {
    const stop = new AbortController();
    const plan = await planned(ofRedis, {});
    const running = executeDatabaseRestore(plan, { clock: systemClock, signal: stop.signal, onProgress: ({ bytes, totalBytes }) => bytes >= totalBytes && stop.abort(new Error('enough')) });
    expect(await failure(running)).toMatchObject({ code: 'interrupted' });
    await nothing();
  });

  it('takes away what it brought when the server has no memory for more', async () => {
    await target.ask('CONFIG', 'SET', 'maxmemory', '6mb');
    try {
      expect(await failure(restore(ofRedis))).toMatchObject({ code: 'no-space', message: expect.stringMatching(/OOM .*taken away again/), nextStep: expect.stringContaining('maxmemory') });
      await nothing();
    } finally {
      await target.ask('CONFIG', 'SET', 'maxmemory', '0');
    }
  });

  it('warns when the server throws keys away to make room', async () => {
    for (const words of [['maxmemory', '9mb'], ['maxmemory-policy', 'allkeys-random']]) await target.ask('CONFIG', 'SET', ...words);
    try {
      const plan = await planned(ofRedis, {});
      const [report] = await executeDatabaseRestore(plan, { clock: systemClock, signal: new AbortController().signal });
      expect(report?.warnings).toEqual([expect.stringMatching(/^the server threw \d+ keys away meanwhile/)]);
      expect(await plan.loads[0]?.missingTables(new AbortController().signal)).not.toEqual([]);
    } finally {
      for (const words of [['maxmemory', '0'], ['maxmemory-policy', 'noeviction']]) await target.ask('CONFIG', 'SET', ...words);
    }
  });

  it('takes away what it brought when the connection breaks, and names what it cannot know', async () => {
    const proxy = await startCuttingProxy(target.port, 8000);
    const error = await failure(restore(ofRedis, {}, { connection: { port: proxy.port } })).finally(() => void proxy.stop());
    expect(error).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/broke/) });
  });

  it('says what a user may not do, and that a replica and a cluster are no targets', async () => {
    await target.ask('ACL', 'SETUSER', 'reader', 'on', '>reader-pw', '+info', '+ping', '+function|list', '+select');
    const error = await failure(restore(ofRedis, {}, { connection: { user: 'reader', password: 'reader-pw' } }));
    expect(error).toMatchObject({ code: 'permission', message: expect.stringMatching(/User reader may not.*NOPERM/) });
    await nothing();
    const cluster = await startRedis({ settings: ['--cluster-enabled', 'yes'] });
    try {
      expect(await failure(restore(ofRedis, {}, { into: cluster }))).toMatchObject({ code: 'unsupported', message: expect.stringContaining('node of a cluster') });
    } finally {
      await cluster.stop();
    }
    await target.ask('REPLICAOF', '127.0.0.1', '1');
    try {
      expect(await failure(restore(ofRedis))).toMatchObject({ code: 'target-failed', message: expect.stringContaining('is a replica of 127.0.0.1:1') });
    } finally {
      await target.ask('REPLICAOF', 'NO', 'ONE');
    }
  });
});
