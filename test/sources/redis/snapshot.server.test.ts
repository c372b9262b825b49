import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../../lib/model/errors.ts';
import { backUp, heldBy, objectNames, testRepository } from '../../support/run-backup.ts';
import { repeating } from '../../support/repeating.ts';
import { startCuttingProxy } from '../../support/servers/cutting-proxy.ts';
import { startRedis } from '../../support/servers/redis.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import { freePort } from '../../support/servers/servers.ts';
import { leftBehindIn } from '../left-behind.ts';
import { failure } from '../reading.ts';
import { everything, fillAwkward } from './awkward.ts';
import { snapshotWhole, sourceFor } from './desk.ts';

const KINDS = ['redis', 'valkey'] as const;
const isLong = process.env['HOLDFAST_LONG_DUMPS'] !== undefined;
const servers = new Map<string, RedisServer>();
/** More than the kernel holds for a reader that does not read; a server that has written all of it has ended well. */
const WIDE = "redis.call('SET', 'wide', string.rep(redis.sha1hex(1), 1600000))";
let folder: string;
beforeAll(async () => {
  await Promise.all(KINDS.map(async (kind) => {
    const server = await startRedis({ kind });
    servers.set(kind, server);
    await fillAwkward(server, kind);
    await server.ask('EVAL', "for i = 1, 600 do redis.call('SET', 'filler:' .. i, string.rep(redis.sha1hex(i), 3) .. redis.sha1hex(-i) .. string.rep(redis.sha1hex(i * 7), 40)) end", '0');
    for (const [name, rules] of [['backup', ['+ping', '+replconf', '+psync']], ['half', ['+ping', '+replconf']], ['none', []]] as const) await server.ask('ACL', 'SETUSER', name, 'on', `>${name}-pw`, ...rules);
  }));
}, 60_000);
afterAll(() => Promise.all([...servers.values()].map((server) => server.stop())));
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'holdfast-redis-'))));
afterEach(() => {
  expect(leftBehindIn(folder)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

describe.each(KINDS)('a %s source (S4)', (kind) => {
  const server = () => servers.get(kind) as RedisServer;

  it('is backed up while a writer keeps writing; another server that loads the file has every key as it was', async () => {
    const [repository, before] = [testRepository(), await everything(server())];
    const writer = repeating((nr) => server().ask('SET', 'filler:1', `written ${nr}`));
    const outcome = await backUp(repository, sourceFor(server(), folder));
    expect(await writer.stop()).toBeGreaterThan(0);
    const content = (await heldBy(repository, outcome)).get('dump.rdb')?.content as Buffer;
    const place = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
    writeFileSync(join(place, 'dump.rdb'), content);
    const other = await startRedis({ kind, folder: place });
    try {
      const isWritten = (line: string) => line.startsWith(`0 ${Buffer.from('filler:1').toString('hex')} `);
      const after = await everything(other);
      expect(after.filter((line) => !isWritten(line))).toEqual(before.filter((line) => !isWritten(line)));
      expect(after).toHaveLength(before.length);
    } finally {
      await other.stop();
      rmSync(place, { recursive: true, force: true });
    }
  });

  it.each([['yes', /^the end mark seen and the CRC64 at its end right$/], ['no', /^all \d+ bytes that were announced and the CRC64 at its end right$/]])('says why it is whole, with diskless synchronisation %s', async (isDiskless, proof) => {
    await server().ask('CONFIG', 'SET', 'repl-diskless-sync', isDiskless);
    const { evidence, warnings } = await snapshotWhole(sourceFor(server(), folder, { connection: { user: 'backup', password: 'backup-pw' } }));
    const count = kind === 'valkey' ? 626 : 625;
    expect([evidence, warnings]).toEqual([[expect.stringMatching(kind === 'redis' ? /^server Redis 7\.0\.\d+, RDB version 10$/ : /^server Valkey 9\.1\.\d+, RDB version 80$/), expect.stringMatching(proof), `keys: db0 ${count}, db3 1, db15 1; libraries of functions: 1`, expect.stringMatching(/^replication offset \d+$/)], []]);
  });

  it.each([
    ['a wrong password', { password: 'not-the-password' }, 'source-failed', /does not let user default in with the password/],
    ['no password', { password: undefined }, 'source-failed', /wants a password, and none was given/],
    ['a user who may do nothing', { user: 'none', password: 'none-pw' }, 'permission', /User none may not do what this needs.*NOPERM/],
    ['an unknown host', { host: 'no-such-host.invalid' }, 'source-failed', /The host no-such-host.invalid is not known/],
  ] as const)('refuses %s before anything is asked for', async (_what, connection, code, message) => {
    const error = await failure(sourceFor(server(), folder, { connection: connection as object }).check());
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), nextStep: expect.any(String) });
    expect(`${error.message} ${error.nextStep} ${String(error.cause)}`).not.toMatch(/not-the-password|7c1f|none-pw/);
  });

  it('names what a user lacks who may not have a snapshot, and keeps nothing', async () => {
    const repository = testRepository();
    const error = await failure(backUp(repository, sourceFor(server(), folder, { connection: { user: 'half', password: 'half-pw' } })));
    expect(error).toMatchObject({ code: 'permission', message: expect.stringMatching(/psync/), nextStep: expect.stringContaining('ACL SETUSER half +ping +replconf +psync') });
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
  });

  it('never becomes one because it is smaller than it may be', async () => {
    expect(await failure(snapshotWhole(sourceFor(server(), folder, { minimumBytes: 1e9 })))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/has \d+ bytes, wanted at least 1000000000/) });
  });

  // HOLDFAST_LONG_DUMPS=30: as many places as somebody has time for.
  it.each(['yes', 'no'])('never becomes one because the connection is cut at any byte, with diskless synchronisation %s', async (isDiskless) => {
    await server().ask('CONFIG', 'SET', 'repl-diskless-sync', isDiskless);
    const through = async (afterBytes: number, how?: 'end') => {
      const proxy = await startCuttingProxy(server().port, afterBytes, how);
      const source = sourceFor(server(), folder, { connection: { port: proxy.port } });
      const outcome = await snapshotWhole(source).catch((error: unknown) => error as Error);
      await proxy.stop();
      return { proxy, outcome };
    };
    const whole = await through(Infinity);
    expect(whole.outcome).toMatchObject({ bytes: expect.any(Number) });
    const [all, places] = [whole.proxy.came(), Number(process.env['HOLDFAST_LONG_DUMPS'] ?? 3)];
    const anywhere = Array.from({ length: places }, (_, place) => Math.floor(((place + Math.random()) * all) / places));
    // In the checksum or in the mark, before the last byte, and before the mark begins.
    const last = [all - 45, all - 20, all - 1];
    for (const [afterBytes, how] of [...[...anywhere, ...last].map((at) => [at] as const), ...last.map((at) => [at, 'end'] as const)]) {
      const { proxy, outcome } = await through(afterBytes, how);
      expect([afterBytes, outcome]).toEqual([afterBytes, expect.any(HoldfastError)]);
      expect(outcome).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/^The connection to .* broke: /) });
      expect(proxy.cuts()).toBe(1);
    }
  });

  // Large values take their time: in the fast run each server has a part of these.
  it.each(isLong ? ['yes', 'no'] : [kind === 'redis' ? 'yes' : 'no'])('never becomes one because the server ends the connection, with diskless synchronisation %s', async (isDiskless) => {
    for (const words of [['repl-diskless-sync', isDiskless], ['rdbcompression', 'no']]) await server().ask('CONFIG', 'SET', ...words);
    await server().ask('EVAL', WIDE, '0');
    const ended: unknown[] = [];
    const error = await failure(snapshotWhole(sourceFor(server(), folder), async () => ended.push(await server().ask('CLIENT', 'KILL', 'TYPE', 'replica'))));
    await server().ask('DEL', 'wide');
    expect([ended, error]).toEqual([[1], expect.objectContaining({ code: 'source-failed', retryable: true, message: expect.stringMatching(/broke: .* \d+ bytes of the snapshot had come/) })]);
  });

  if (isLong || kind === 'valkey') it('is whole although commands come meanwhile that no buffer for replicas could hold', async () => {
    for (const words of [['client-output-buffer-limit', 'replica 256kb 256kb 1'], ['repl-diskless-sync', 'yes'], ['rdbcompression', 'no']]) await server().ask('CONFIG', 'SET', ...words);
    await server().ask('EVAL', WIDE, '0');
    const written = Buffer.alloc(4 << 20, 1);
    const proof = await snapshotWhole(sourceFor(server(), folder), async () => {
      for (const nr of [1, 2]) await server().ask('SET', `meanwhile:${nr}`, written);
    });
    expect(proof.bytes).toBeGreaterThan(64e6);
    await server().ask('DEL', 'wide', 'meanwhile:1', 'meanwhile:2');
  });

  if (isLong || kind === 'redis') it('never becomes one because the server dies', async () => {
    const own = await startRedis({ kind, settings: ['--rdbcompression', 'no'] });
    try {
      await own.ask('EVAL', WIDE, '0');
      expect(await failure(snapshotWhole(sourceFor(own, folder), () => own.kill()))).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/broke: /) });
    } finally {
      await own.stop();
    }
    expect(await failure(sourceFor(own, folder).check())).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/cannot be reached/) });
  });

  it('never becomes one because the run is stopped', async () => {
    const stop = new AbortController();
    const error = await failure(snapshotWhole(sourceFor(server(), folder), () => stop.abort(new Error('enough')), stop.signal));
    expect(error).toMatchObject({ code: 'interrupted', message: expect.stringMatching(/^The snapshot of .* was stopped after \d+ bytes\.$/) });
    expect(await failure(snapshotWhole(sourceFor(server(), folder), undefined, stop.signal))).toMatchObject({ code: 'interrupted' });
  });
});

it('a Redis whose checksums were turned off gives a backup with a warning, which redis-check-rdb takes (S4)', async () => {
  const own = await startRedis({ settings: ['--rdbchecksum', 'no'] });
  try {
    await own.ask('SET', 'a', 'b');
    const repository = testRepository();
    const outcome = await backUp(repository, sourceFor(own, folder));
    expect((await snapshotWhole(sourceFor(own, folder))).warnings).toEqual([expect.stringMatching(/rdbchecksum no/)]);
    const place = mkdtempSync(join(tmpdir(), 'holdfast-redis-'));
    writeFileSync(join(place, 'dump.rdb'), (await heldBy(repository, outcome)).get('dump.rdb')?.content as Buffer);
    expect(spawnSync('redis-check-rdb', [join(place, 'dump.rdb')], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: expect.stringContaining('RDB looks OK') });
    rmSync(place, { recursive: true, force: true });
  } finally {
    await own.stop();
  }
  expect(await failure(sourceFor(own, folder, { connection: { port: await freePort() } }).check())).toMatchObject({ message: expect.stringMatching(/cannot be reached/) });
});
