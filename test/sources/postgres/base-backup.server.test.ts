import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { PostgresPhysicalSource } from '../../../lib/sources/postgres-physical.ts';
import type { PostgresPhysicalOptions } from '../../../lib/sources/postgres-physical.ts';
import type { PostgresConnection } from '../../../lib/sources/postgres/connection.ts';
import { readFacts } from '../../../lib/sources/postgres/base-backup-facts.ts';
import type { OpenStream } from '../../../lib/sources/source.ts';
import { sourceContract } from '../../contract/source.ts';
import { startBothPostgres, stopBothPostgres } from '../../support/servers/postgres.ts';
import type { BothPostgres, PostgresServer } from '../../support/servers/postgres.ts';
import { leftBehindIn } from '../left-behind.ts';
import { failure, onlyStream, readToEnd } from '../reading.ts';
import { connectionTo, descendants, readSome } from './dumps.ts';

let folder: string;
let servers: BothPostgres;

beforeAll(async () => {
  servers = await startBothPostgres();
  for (const server of Object.values(servers)) await server.sql(`create table big as select i, repeat(md5(i::text), 30) as filler from generate_series(1, 2000) i; create role reader login password 'reader'; create role copier login replication password 'copier'`);
});
afterAll(() => stopBothPostgres(servers));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-base-'));
});
// Whatever happened: nothing with a password stays, and nothing runs on.
afterEach(() => {
  expect(leftBehindIn(folder)).toEqual([]);
  expect(descendants().filter(({ name }) => /basebackup|^tee$/.test(name))).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

function sourceFor(server: PostgresServer, changes: Partial<Omit<PostgresPhysicalOptions, 'connection'>> & { readonly connection?: Partial<PostgresConnection> } = {}): PostgresPhysicalSource {
  const { connection, ...options } = changes;
  return new PostgresPhysicalSource({ connection: { ...connectionTo(server), ...connection }, wal: 'fetch', checkpoint: 'fast', minimumBytes: 0, binaries: server.binaries, environment: process.env, temporaryFolder: folder, clock: systemClock, ...options });
}

async function whole(source: PostgresPhysicalSource, during: (opened: OpenStream) => unknown = () => undefined) {
  const opened = await (await onlyStream(source)).open();
  try {
    await during(opened);
    const seen = await readToEnd(opened);
    return { seen, proof: await opened.finish(seen) };
  } finally {
    await opened.close();
  }
}

/** The programs of a server, one of them replaced by a script; `$REAL` is the real one. */
function binariesWith(server: PostgresServer, name: string, script: string): string {
  for (const program of ['pg_basebackup', 'psql']) writeFileSync(join(folder, program), `#!/bin/bash\nREAL=${server.binaries}/${program}\n[ "$1" = --version ] && exec $REAL --version\n${program === name ? script : 'exec $REAL "$@"'}\n`);
  for (const program of ['pg_basebackup', 'psql']) chmodSync(join(folder, program), 0o755);
  return folder;
}

describe.each([15, 18] as const)('a base backup of PostgreSQL %i (S2)', (version) => {
  it('streams one tar and says why it is whole, and what it is', async () => {
    const { seen, proof } = await whole(sourceFor(servers[version], { connection: { user: 'copier', password: 'copier' } }));
    expect(proof.bytes).toBe(seen.bytes);
    expect(proof.evidence).toEqual([expect.stringMatching(/^server \d+\.\d+/), expect.stringMatching(/^pg_basebackup \d+\.\d+ exit code 0$/), expect.stringMatching(/^tar read to its end: \d{3,} files, each with the SHA-256/), expect.stringMatching(/^WAL from \S+ to \S+ on timeline 1, all of it in the backup$/)]);
    const facts = await readFacts({ manifest: { backup: 'x', facts: proof.facts } });
    const [{ system_identifier: systemId } = { system_identifier: '' }] = await servers[version].sql<{ system_identifier: string }>('select system_identifier::text from pg_control_system()');
    expect(facts).toMatchObject({ systemId, timeline: 1, walSegmentBytes: 16 << 20, hasWal: true, startSegment: expect.stringMatching(/^00000001[0-9A-F]{16}$/) });
    expect(facts?.stoppedAt).toBeGreaterThanOrEqual(facts?.startedAt ?? Infinity);
  });

  it('leaves the WAL to an archive when told to; that no archive is set up is a notice, no failure', async () => {
    const { proof } = await whole(sourceFor(servers[version], { wal: 'none' }));
    expect(proof.evidence.at(-1)).toMatch(/none of it in the backup$/);
    expect(proof.facts).toMatchObject({ hasWal: false });
  });

  it.each<readonly [string, Parameters<typeof sourceFor>[1], string, RegExp]>([
    ['a user that may not replicate', { connection: { user: 'reader', password: 'reader' } }, 'permission', /User reader may not replicate .* Nothing was started/],
    ['a wrong password', { connection: { password: 'wrong' } }, 'source-failed', /does not let user holdfast in/],
    ['a server that is not there', { connection: { port: 1 } }, 'source-failed', /cannot be reached: connection refused/],
    ['programs that are not there', { binaries: '/nowhere' }, 'source-failed', /The program pg_basebackup is not in \/nowhere/],
  ])('refuses %s before anything starts', async (_what, changes, code, message) => {
    const error = await failure(sourceFor(servers[version], changes).check());
    expect(error).toMatchObject({ code, message: expect.stringMatching(message), nextStep: expect.any(String) });
  });
});

describe('a base backup that is not what it seems (S2)', () => {
  const version = 15;

  it.each<readonly [string, string, string, RegExp]>([
    ['exit code 0 after half of the output', 'pg_basebackup', '$REAL "$@" | head -c 9000000; exit 0', /is no whole base backup: The tar archive ends in the middle of/],
    ['exit code 0 after all of the output but its end', 'pg_basebackup', '$REAL "$@" | head -c -1024', /is no whole base backup: The tar archive ends without the two blocks/],
    ['exit code 0 without any output', 'pg_basebackup', 'exit 0', /is no whole base backup/],
    ['one byte that differs', 'pg_basebackup', '$REAL "$@" | { head -c 5000000; head -c 1 | tr "\\000-\\377" "\\001-\\377\\000"; cat; }', /is not what the server sent|wrong checksum|is no whole base backup/],
    ['exit code 3 after complete output', 'pg_basebackup', '$REAL "$@"; echo "the last word" >&2; exit 3', /pg_basebackup ended with exit code 3 after \d+ bytes .* It said: .*the last word/],
    ['a kill', 'pg_basebackup', '$REAL "$@" | head -c 5000000; kill -KILL $$', /was killed by SIGKILL/],
  ])('never becomes a backup with %s', async (_what, program, script, message) => {
    const error = await failure(whole(sourceFor(servers[version], { binaries: binariesWith(servers[version], program, script) })));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message), nextStep: expect.stringMatching(/Nothing of this run is kept/) });
    expect(error.message).not.toContain(servers[version].password);
  });

  it('is not believed when whoever read it did not look', async () => {
    const opened = await (await onlyStream(sourceFor(servers[version]))).open();
    try {
      const { bytes, tail } = await readToEnd({ fd: opened.fd });
      expect(await failure(opened.finish({ bytes, tail }))).toMatchObject({ code: 'broken-invariant' });
    } finally {
      await opened.close();
    }
  });

  it('fails with the words of the server when the connection is cut in the middle', async () => {
    const error = await failure(whole(sourceFor(servers[version]), async () => {
      // Nothing is read meanwhile: whoever looks at the stream must see it from its first byte.
      while ((await servers[version].sql("select from pg_stat_progress_basebackup where phase = 'streaming database files' and backup_streamed > 65536")).length === 0) await systemClock.sleep(20);
      expect(await servers[version].sql('select pg_terminate_backend(pid) as is from pg_stat_progress_basebackup')).toEqual([{ is: true }]);
    }));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/terminating connection|closed the connection|broke: /) });
  });

  it('is ended by an interruption, and leaves nothing running', async () => {
    const stop = new AbortController();
    const opened = await (await onlyStream(sourceFor(servers[version]), stop.signal)).open();
    await readSome(opened.fd);
    stop.abort();
    await opened.close();
    expect(await failure(opened.finish({ bytes: 1, tail: new Uint8Array() }))).toMatchObject({ code: 'interrupted' });
  });
});

// The other sources pass the same: test/sources/contract.slow.test.ts.
describe('of PostgreSQL 18,', () => {
  let temporary: string;
  beforeAll(() => {
    temporary = mkdtempSync(join(tmpdir(), 'holdfast-base-contract-'));
  });
  afterAll(() => rmSync(temporary, { recursive: true, force: true }));
  const cut = (script: string) => sourceFor(servers[18], { binaries: binariesWith(servers[18], 'pg_basebackup', script), temporaryFolder: temporary });
  sourceContract('a base backup', () => ({
    temporaryFolder: temporary,
    secrets: [servers[18].password],
    good: () => sourceFor(servers[18], { temporaryFolder: temporary }),
    failing: () => cut('$REAL "$@" | head -c 9000000'),
    slow: () => cut('$REAL "$@" | { head -c 9000000; sleep 1000; }'),
    refused: () => sourceFor(servers[18], { temporaryFolder: temporary, connection: { user: 'reader', password: 'reader' } }),
    state: () => servers[18].sql('select slot_name from pg_replication_slots union select setting from pg_settings where name = \'archive_mode\''),
  }));
});

it('refuses a server that is newer than the client, an older one is fine', async () => {
  expect(await failure(sourceFor(servers[18], { binaries: servers[15].binaries }).check())).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/pg_basebackup refuses servers newer than itself\. Nothing was started/), nextStep: expect.stringMatching(/postgresql-client-18/) });
  await expect(sourceFor(servers[15], { binaries: servers[18].binaries }).check()).resolves.toBeUndefined();
});

it('refuses further tablespaces, and a pg_hba.conf without a rule for replication, each with its reason', async () => {
  const server = servers[15];
  await server.sql('alter role holdfast set allow_in_place_tablespaces = on');
  await server.sql("create tablespace attic location ''");
  expect(await failure(sourceFor(server).check())).toMatchObject({ code: 'unsupported', message: expect.stringMatching(/has further tablespaces \(attic\)/) });
  await server.sql('drop tablespace attic');
  const rules = join(server.data, 'pg_hba.conf');
  const before = readFileSync(rules, 'utf8');
  writeFileSync(rules, before.replace(/^host replication.*$/m, ''));
  try {
    await server.sql('select pg_reload_conf()');
    const error = await failure(sourceFor(server).check());
    expect(error.message).toMatch(/no rule that lets user holdfast replicate/);
  } finally {
    writeFileSync(rules, before);
    await server.sql('select pg_reload_conf()');
  }
});
