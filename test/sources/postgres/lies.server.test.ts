import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresOptions } from '../../../lib/sources/postgres.ts';
import { startCutProxy } from '../../support/servers/cut-proxy.ts';
import type { CutProxy } from '../../support/servers/cut-proxy.ts';
import { startPostgres } from '../../support/servers/postgres.ts';
import type { PostgresServer } from '../../support/servers/postgres.ts';
import { failure } from '../reading.ts';
import { dumpAll, sourceFor } from './dumps.ts';

/** Another seed tries other places: `CUT_SEED=7 npm run jest …`; it is in the title of every case. */
const SEED = Number(process.env['CUT_SEED'] ?? 20_261_128);
const POINTS = 30;
let folder: string;
let server: PostgresServer;
let proxy: CutProxy;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lies-'));
  server = await startPostgres({ version: 18 });
  await server.sql(`create table big as select i, repeat(md5(i::text), 20) as filler from generate_series(1, 3000) i; create table small as select 1 as i; select lo_from_bytea(7, decode(repeat('00ff', 200000), 'hex'))`);
  await server.sql("create role reader login password 'reader-7f3a'; grant pg_read_all_data to reader; grant select on large object 7 to reader");
  proxy = await startCutProxy(server.port);
});
afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});
afterEach(() => {
  expect(readdirSync(folder).filter((name) => name !== 'scratch' && name !== 'bin')).toEqual([]);
});

describe('a connection that is reset in the middle never becomes a backup (S1)', () => {
  const wholeBytes: Record<number, number> = {};

  it.each([['custom', 1], ['directory', 3]] as const)('the proxy lets a whole dump through (%s)', async (_format, jobs) => {
    const before = proxy.passed();
    const dumped = await dumpAll(through({ jobs }));
    wholeBytes[jobs] = proxy.passed() - before;
    expect(dumped.at(-1)?.proof.evidence.at(-1)).toBe('rows of 2 tables counted in the same snapshot');
    expect(wholeBytes[jobs]).toBeGreaterThan(2_000_000);
  });

  // In the greeting and the questions before the dump, too: those are few bytes, so a part of the cases is sent there.
  it.each(points())('case $number of seed $seed: reset after $share of what the server says, $jobs connections', async ({ jobs, share }) => {
    proxy.cutAfter(Math.floor((wholeBytes[jobs] as number) * share));
    const error = await failure(dumpAll(through({ jobs })));
    expect(error).toMatchObject({ code: 'source-failed', nextStep: expect.any(String) });
    expect(error.message).toMatch(/closed the connection|could not receive data|connection .* broke|lost|reset|Connection refused|snapshot/i);
    expect(`${error.message} ${error.nextStep} ${String(error.cause)}`).not.toMatch(/7f3a/);
  });
});

describe('other ways to lie', () => {
  it.each([['custom', 1], ['directory', 2]] as const)('a table that somebody locks ends the %s dump by the limit on statements, in the words of the server', async (_format, jobs) => {
    const blocker = server.sql("set application_name = 'blocker'; begin; lock table small in access exclusive mode; select pg_sleep(60)").catch(() => undefined);
    while ((await server.sql("select 1 from pg_stat_activity where application_name = 'blocker' and wait_event = 'PgSleep'")).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    for (const rowCounts of ['auto', 'none'] as const) {
      const error = await failure(dumpAll(sourceFor(server, folder, { jobs, lockWaitMilliseconds: 200, rowCounts })));
      expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/was ended by the server: .*canceling statement due to (statement|lock) timeout/) });
    }
    await server.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'blocker'");
    await blocker;
  });

  it.each([['custom', 1], ['directory', 2]] as const)('a pg_dump that fails after its whole output (%s)', async (_format, jobs) => {
    const binaries = wrapped('"$real/pg_dump" "$@" || exit; echo "pg_dump: error: something went wrong at the end" >&2; exit 3');
    const error = await failure(dumpAll(sourceFor(server, folder, { jobs, binaries })));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/pg_dump ended with exit code 3.*something went wrong at the end/) });
  });

  it.each([['custom', 1], ['directory', 2]] as const)('a table that may not be read (%s)', async (_format, jobs) => {
    await server.sql("create role poor login password 'poor-7f3a'; grant select on big to poor; grant select on large object 7 to poor");
    const error = await failure(dumpAll(sourceFor(server, folder, { jobs, connection: { user: 'poor', password: 'poor-7f3a' } })));
    expect(error).toMatchObject({ code: 'permission', message: expect.stringMatching(/may not read everything .*permission denied for table small/) });
    expect(`${error.message} ${error.nextStep}`).not.toMatch(/7f3a/);
    await server.sql('drop owned by poor; drop role poor');
  });

  it('a server whose disk is full', async () => {
    // Where it writes exported snapshots: the one thing that it has to write for a dump.
    const place = join(server.data, 'pg_snapshots');
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4k,mode=700,uid=postgres', 'tmpfs', place]).status !== 0) throw new Error('tmpfs cannot be mounted: these tests run as root');
    try {
      writeFileSync(join(place, 'filler'), Buffer.alloc(4096));
      expect(await failure(dumpAll(sourceFor(server, folder)))).toMatchObject({ code: 'no-space', message: expect.stringMatching(/no room left .*pg_snapshots.*No space left on device/), nextStep: expect.stringMatching(/on the disk of the server/) });
    } finally {
      spawnSync('umount', [place]);
    }
  });

  it('a server that is stopped in the middle', async () => {
    const own = await startPostgres({ version: 15 });
    await own.sql('create table big as select i, repeat(md5(i::text), 20) as filler from generate_series(1, 30000) i');
    for await (const stream of sourceFor(own, folder).streams(new AbortController().signal)) {
      const opened = await stream.open();
      try {
        // The pipes are full, and pg_dump waits in the middle of a table.
        while ((await own.sql("select 1 from pg_stat_activity where query like 'COPY %big%'")).length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
        await own.stop();
        const { readToEnd } = await import('../reading.ts');
        const error = await failure(opened.finish(await readToEnd(opened)));
        expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/broke: .*(terminating connection due to administrator command|closed the connection)/) });
      } finally {
        await opened.close();
      }
    }
  });
});

interface Point {
  readonly number: number;
  readonly seed: number;
  readonly jobs: number;
  /** Of all bytes that the server sends. */
  readonly share: number;
}

function points(): Point[] {
  let state = SEED;
  const random = () => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) / 2 ** 31;
  return Array.from({ length: POINTS }, (_, number) => ({ number, seed: SEED, jobs: number % 5 === 4 ? 3 : 1, share: random() * (number % 3 === 0 ? 0.01 : 0.97) }));
}

function through(options: Partial<Omit<PostgresOptions, 'connection'>>) {
  return sourceFor(server, folder, { ...options, connection: { user: 'reader', password: 'reader-7f3a', port: proxy.port } });
}

/** Programs of which pg_dump is a script; `$real` is the folder of the true ones. */
function wrapped(script: string): string {
  const bin = join(folder, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const name of ['pg_restore', 'psql']) writeFileSync(join(bin, name), `#!/bin/sh\nexec ${server.binaries}/${name} "$@"\n`, { mode: 0o755 });
  writeFileSync(join(bin, 'pg_dump'), `#!/bin/sh\nreal=${server.binaries}\ncase "$1" in --version) exec $real/pg_dump --version;; esac\n${script}\n`, { mode: 0o755 });
  return bin;
}
