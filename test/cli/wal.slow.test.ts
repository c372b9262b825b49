import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { systemClock } from '../../lib/model/clock.ts';
import { MADE_SYSTEM, makeSegment } from '../../scripts/vectors/made-wal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { Desk, REAL_WORKERS } from './run-in-process.ts';
import type { Ran } from './run-in-process.ts';

const NOON = Date.UTC(2026, 10, 28, 12);
const FIRST = '000000010000000000000003';
const SECOND = '000000010000000000000004';

/** Somebody with a vault, in a folder that looks like a data directory of PostgreSQL. */
async function deskWithVault(state = temporaryFolder()): Promise<Desk> {
  const desk = new Desk({ XDG_STATE_HOME: state }, REAL_WORKERS);
  await desk.do('init', '--vault', 'vault', '--key-file', 'key', '--no-yaml');
  mkdirSync(desk.path('pg_wal'));
  mkdirSync(desk.path('global'));
  const control = Buffer.alloc(8192);
  control.writeBigUInt64LE(BigInt(MADE_SYSTEM));
  writeFileSync(desk.path('global/pg_control'), control);
  return desk;
}

const PLACE = ['--plan', 'cluster', '--vault', 'vault', '--key-file', 'key'] as const;

function spool(desk: Desk, name: string, bytes: Uint8Array): string {
  writeFileSync(desk.path(`pg_wal/${name}`), bytes);
  return `pg_wal/${name}`;
}

function archive(desk: Desk, path: string, ...more: readonly string[]): Promise<Ran> {
  return desk.run('wal-archive', path, ...more, ...PLACE);
}

function fetch(desk: Desk, name: string, ...more: readonly string[]): Promise<Ran> {
  return desk.run('wal-fetch', name, 'pg_wal/RECOVERYXLOG', ...(more.length > 0 ? more : PLACE));
}

describe('wal-archive and wal-fetch (S2, R4)', () => {
  it('keep a segment, a history, a label and the end of a timeline, and give each back as it was', async () => {
    const desk = await deskWithVault();
    const files: Record<string, Buffer> = {
      [FIRST]: makeSegment({ name: FIRST, records: [{ kind: 'commit', at: NOON }] }), '00000002.history': Buffer.from('1\t0/400000\tno recovery target specified\n'),
      [`${FIRST}.00000028.backup`]: Buffer.from('START WAL LOCATION: 0/300028 (file 000000010000000000000003)\n'), [`${SECOND}.partial`]: makeSegment({ name: SECOND, records: [{ kind: 'filler', bytes: 100 }] }),
    };
    for (const [name, bytes] of Object.entries(files)) expect(await archive(desk, spool(desk, name, bytes))).toMatchObject({ code: 0, stderr: '' });
    for (const [name, bytes] of Object.entries(files)) {
      expect(await fetch(desk, name.replace('.partial', ''))).toMatchObject({ code: 0, stderr: '' });
      expect(readFileSync(desk.path('pg_wal/RECOVERYXLOG')).equals(bytes)).toBe(true);
    }
    expect(readdirSync(desk.path('pg_wal')).filter((name) => name.includes('holdfast'))).toEqual([]);
    expect(await archive(desk, `pg_wal/${FIRST}`)).toMatchObject({ code: 0, stdout: expect.stringContaining('was kept already') });
  });

  it.each([['--plan', 'cluster', 'wal-fetch'], ['--plan', 'backup', 'wal-fetch'], ['--no-such', 'wal-fetch']])('a line that nobody understands is not taken for the end of WAL: %s %s %s', async (...words) => {
    const desk = await deskWithVault();
    expect(await desk.run(...words, FIRST, 'pg_wal/RECOVERYXLOG')).toMatchObject({ code: 200 });
  });

  it('take the whole segment once it is there, and before that the longest beginning', async () => {
    const desk = await deskWithVault();
    const records = [{ kind: 'filler', bytes: 20_000 }, { kind: 'filler', bytes: 20_000 }] as const;
    const whole = makeSegment({ name: FIRST, records });
    for (const end of [16_384, 8192, 32_768]) await archive(desk, spool(desk, `${FIRST}.partial`, Buffer.concat([whole.subarray(0, end), Buffer.alloc(whole.length - end)])));
    await fetch(desk, FIRST);
    const found = readFileSync(desk.path('pg_wal/RECOVERYXLOG'));
    expect(found.length).toBe(whole.length);
    expect(found.subarray(0, 32_768).equals(whole.subarray(0, 32_768))).toBe(true);
    expect(found.subarray(32_768).every((byte) => byte === 0)).toBe(true);
    await archive(desk, spool(desk, FIRST, whole));
    await fetch(desk, FIRST);
    expect(readFileSync(desk.path('pg_wal/RECOVERYXLOG')).equals(whole)).toBe(true);
  });

  it.each<[string, (desk: Desk) => Promise<Ran>, RegExp]>([
    ['bytes that are no WAL', (desk) => archive(desk, spool(desk, FIRST, Buffer.alloc(1 << 20))), /not the WAL segment that its name says/],
    ['the segment of another name', (desk) => archive(desk, spool(desk, FIRST, makeSegment({ name: SECOND }))), /begins at 4194304, wanted 3145728/],
    ['a segment that is cut', (desk) => archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST }).subarray(0, 1000))), /has 1000 bytes/],
    ['a segment of another system than the data directory', (desk) => archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST, systemId: '7' }))), /of the system 7, wanted/],
    ['a history that is none', (desk) => archive(desk, spool(desk, '00000002.history', Buffer.from('hello\n'))), /is no timeline history/],
    ['a file that is not there', (desk) => archive(desk, `pg_wal/${FIRST}`), /cannot be read \(ENOENT\)/],
    ['a file that PostgreSQL never names', (desk) => archive(desk, spool(desk, 'notes.txt', Buffer.of(1))), /is no name of a file that PostgreSQL archives/],
    ['no plan', (desk) => desk.run('wal-archive', 'pg_wal/x'), /required option '--plan <name>' not specified/],
  ])('refuse to keep %s, and PostgreSQL calls again', async (_, attempt, said) => {
    const desk = await deskWithVault();
    const ran = await attempt(desk);
    expect(ran.stderr).toMatch(said);
    expect([1, 2]).toContain(ran.code);
    expect(existsSync(join(desk.path('vault'), 'wal'))).toBe(false);
  });

  it('refuse other bytes under a name that is taken, with both digests', async () => {
    const desk = await deskWithVault();
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST, records: [{ kind: 'commit', at: NOON }] })));
    const ran = await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST, records: [{ kind: 'commit', at: NOON + 1 }] })));
    expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(/the vault holds SHA-256 [0-9a-f]{64}, and [0-9a-f]{64} was given[^]*must not archive into the plan of the server that it came from/) });
  });

  it('say 1 for what is not there, and 200 for everything that must not look like the end of WAL', async () => {
    const desk = await deskWithVault();
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST })));
    expect(await fetch(desk, SECOND)).toMatchObject({ code: 1, stderr: '' });
    expect(await fetch(desk, '00000002.history')).toMatchObject({ code: 1 });
    const at200: readonly (readonly [string, readonly string[], RegExp])[] = [
      ['a plan without WAL', ['--plan', 'clutser', '--vault', 'vault', '--key-file', 'key'], /holds no WAL of the system/],
      ['a vault that is not there', ['--plan', 'cluster', '--vault', 'away', '--key-file', 'key'], /No vault is at/],
      ['a key that is not there', ['--plan', 'cluster', '--vault', 'vault', '--key-file', 'lost'], /lost/],
      ['an option that is none', ['--plam', 'cluster'], /unknown option|required option/],
      ['an empty name of a stack', ['--plan', 'cluster', '--aws', ''], /--aws is empty/],
    ];
    for (const [what, options, said] of at200) expect([what, await fetch(desk, FIRST, ...options)]).toEqual([what, { code: 200, stdout: '', stderr: expect.stringMatching(said) }]);
    expect(await fetch(desk, 'x')).toMatchObject({ code: 200 });
    const [object = ''] = readdirSync(desk.path('vault/wal'), { recursive: true }).map(String).filter((path) => path.endsWith(FIRST));
    const path = join(desk.path('vault/wal'), object);
    writeFileSync(path, readFileSync(path).subarray(0, 100));
    expect(await fetch(desk, FIRST)).toMatchObject({ code: 200, stderr: expect.stringContaining('the seal is broken') });
    expect(readdirSync(desk.path('pg_wal'))).toEqual([FIRST]);
  });

  it.each([['one file is taken along', undefined, /kept, .*; 1 file ahead/], ['a state directory that cannot be written costs only that', '/dev/null', /kept, [^;]*\n.*Nothing is archived ahead, because no notes of it can be kept/]])('archive ahead what PostgreSQL will ask for next: %s', async (_, state, said) => {
    const desk = await deskWithVault(state);
    mkdirSync(desk.path('pg_wal/archive_status'));
    for (const name of [FIRST, SECOND]) {
      spool(desk, name, makeSegment({ name }));
      writeFileSync(desk.path(`pg_wal/archive_status/${name}.ready`), '');
    }
    const { code, stdout, stderr } = await archive(desk, `pg_wal/${FIRST}`, FIRST, '--also-ready', '5');
    expect([code, stdout + stderr]).toEqual([0, expect.stringMatching(said)]);
    expect((await fetch(desk, SECOND)).code).toBe(state === undefined ? 0 : 1);
  });

  it('write out ahead what recovery will ask for next, as far as it is there whole', async () => {
    const state = temporaryFolder();
    const desk = await deskWithVault(state);
    const third = '000000010000000000000005';
    for (const name of [FIRST, SECOND]) await archive(desk, spool(desk, name, makeSegment({ name })));
    await archive(desk, spool(desk, `${third}.partial`, makeSegment({ name: third, records: [{ kind: 'filler', bytes: 100 }] })));
    expect(await fetch(desk, FIRST, ...PLACE, '--also-next', '5')).toMatchObject({ code: 0, stdout: expect.stringMatching(/; 1 file ahead\n$/) });
    const kept = readdirSync(state, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes('wal-ahead')).map((path) => basename(path));
    expect(kept.filter((name) => name.startsWith('0000')).sort()).toEqual([SECOND, `${SECOND}.note`]);
    // As PostgreSQL does when it has come to the end, or to its target.
    expect(await fetch(desk, '00000002.history', ...PLACE, '--also-next', '5')).toMatchObject({ code: 1 });
    expect(readdirSync(state, { recursive: true, encoding: 'utf8' }).filter((path) => path.includes(SECOND))).toEqual([]);
  });

  it('fetch the file that was asked for, also where nothing can be kept for later', async () => {
    const desk = await deskWithVault('/dev/null');
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST })));
    expect(await fetch(desk, FIRST, ...PLACE, '--also-next', '5')).toMatchObject({ code: 0, stderr: expect.stringContaining('Nothing is fetched ahead') });
    expect(readFileSync(desk.path('pg_wal/RECOVERYXLOG')).equals(readFileSync(desk.path(`pg_wal/${FIRST}`)))).toBe(true);
    expect(await fetch(desk, SECOND, ...PLACE, '--also-next', '5')).toMatchObject({ code: 1 });
  });

  it('need no data directory when there is one system alone, and ask which one when there are two', async () => {
    const desk = await deskWithVault();
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST })));
    rmSync(desk.path('global'), { recursive: true });
    expect(await fetch(desk, FIRST)).toMatchObject({ code: 0 });
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST, systemId: '7' })));
    expect(await fetch(desk, FIRST)).toMatchObject({ code: 200, stderr: expect.stringContaining('has WAL of 2 systems') });
    expect(await fetch(desk, FIRST, ...PLACE, '--system-id', '7')).toMatchObject({ code: 0 });
  });
});

describe('WAL in the rest of the program (S2, V1)', () => {
  it('is read by verify, which says what a damaged file costs; strays beside it are named', async () => {
    const desk = await deskWithVault();
    for (const name of [FIRST, SECOND]) await archive(desk, spool(desk, name, makeSegment({ name })));
    const verify = () => desk.run('verify', '--level', 'full', '--vault', 'vault', '--key-file', 'key');
    expect(await verify()).toMatchObject({ code: 0 });
    const [object = ''] = readdirSync(desk.path('vault/wal'), { recursive: true }).map(String).filter((path) => path.endsWith(SECOND));
    const path = join(desk.path('vault/wal'), object);
    const bytes = readFileSync(path);
    bytes[60] = (bytes[60] as number) ^ 1;
    writeFileSync(path, bytes);
    writeFileSync(`${path}.copy`, '');
    const ran = await verify();
    expect(ran.code).toBe(12);
    expect(ran.stdout + ran.stderr).toMatch(/seal is broken[^]*no moment behind this file can be restored to/);
    expect(ran.stdout + ran.stderr).toContain(`${SECOND}.copy is no object of this vault's format`);
  });

  it('waits for a base backup, and windows say so (R4)', async () => {
    const desk = await deskWithVault();
    const windows = () => desk.run('pitr', 'windows', 'cluster', '--vault', 'vault', '--key-file', 'key');
    expect(await windows()).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no WAL and no base backup') });
    for (const name of [FIRST, SECOND]) await archive(desk, spool(desk, name, makeSegment({ name })));
    const ran = await windows();
    expect(ran).toMatchObject({ code: 3, stdout: expect.stringMatching(/cluster, system 7400000000000000001: 0 base backups, 2 segments; last WAL archived .* ago[^]*0\/300000 to 0\/500000 has no base backup before it: run `holdfast backup cluster`/) });
    expect((await desk.run('doctor', '--no-probe', '--vault', 'vault', '--key-file', 'key')).stdout).toMatch(/warning +vault keeps WAL without gaps: \w+: nothing can be restored from its WAL[^\n]*, the last stored 0 min ago\n[^\n]*holdfast pitr windows/);
    renameSync(desk.path('pg_wal'), desk.path('other'));
    expect(await desk.run('pitr', 'windows', '--vault', 'vault', '--key-file', 'key')).toMatchObject({ code: 3, stdout: expect.stringContaining('system 7400000000000000001') });
  });

  it('is late when nothing arrives for longer than was asked for, by the clock of the store (R4)', async () => {
    const desk = await deskWithVault();
    const windows = async (...more: string[]) => desk.run('pitr', 'windows', ...more, '--vault', 'vault', '--key-file', 'key');
    const line = async (...more: string[]) => (await windows(...more, '--json')).stdout.split('\n').find((text) => text.includes('"wal-age"')) ?? 'null';
    expect(await windows('cluster', '--max-age', '15m')).toMatchObject({ code: 3, stdout: expect.stringContaining('cluster: late: no WAL was ever stored, wanted some every 15 min 0 s. Start `holdfast wal-receive cluster`') });
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST })));
    expect(JSON.parse(await line('cluster', '--max-age', '15m'))).toMatchObject({ plan: 'cluster', isLate: false, maxAgeSeconds: 900 });
    expect((await windows('cluster')).stdout).not.toContain('late');
    await systemClock.sleep(1100);
    const late = JSON.parse(await line('cluster', '--max-age', '1s')) as { newestAt: string; ageSeconds: number };
    expect(late).toMatchObject({ isLate: true });
    expect(late.ageSeconds).toBeGreaterThanOrEqual(1);
    expect((await windows('--max-age', '1s')).stdout).toMatch(/: late: WAL was last known to arrive .* ago \(.*store's clock\), wanted 1\.0 s at most\. Look at `holdfast wal-receive/);
    expect(await windows('--max-age', '15 minutes')).toMatchObject({ code: 2, stderr: expect.stringContaining('Wanted a duration') });
  });

  it('is late by what holdfast.yaml says of its plan, also where none was ever stored (R4)', async () => {
    const desk = await deskWithVault();
    const source = 'source: { type: postgres, mode: physical, host: 127.0.0.1, user: backup, wal-freshness: 20m }';
    writeFileSync(desk.path('holdfast.yaml'), ['vaults: { main: { directory: vault, key-file: key } }', 'plans:', `  cluster: { ${source} }`, `  silent: { ${source} }`].join('\n'));
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST })));
    const ran = await desk.run('pitr', 'windows', '--config', 'holdfast.yaml');
    expect(ran).toMatchObject({ code: 3, stdout: expect.stringMatching(/cluster: WAL was last known to arrive .* within 20 min 0 s[^]*silent: late: no WAL was ever stored, wanted some every 20 min 0 s/) });
    expect((await desk.run('pitr', 'windows', 'cluster', '--max-age', '3m', '--config', 'holdfast.yaml')).stdout).toContain('within 3 min 0 s');
    writeFileSync(desk.path('holdfast.yaml'), ['vaults: { main: { directory: vault, key-file: key } }', 'plans:', `  cluster: { ${source.replace('20m', '1m')} }`].join('\n'));
    expect(await desk.run('pitr', 'windows', '--config', 'holdfast.yaml')).toMatchObject({ code: 2, stderr: expect.stringContaining('plans.cluster.source.wal-freshness is "1m", wanted a duration from 3m to 24h') });
  });

  it('is not received with less patience than it takes to know what is kept', async () => {
    const desk = await deskWithVault();
    expect(await desk.run('wal-receive', 'cluster', '--warn-after', '30s', '--vault', 'vault', '--key-file', 'key')).toMatchObject({ code: 2, stderr: expect.stringContaining('--warn-after 180s or more, or --partial-every 10s or less') });
  });

  it('is left by prune while it is young', async () => {
    const desk = await deskWithVault();
    await archive(desk, spool(desk, FIRST, makeSegment({ name: FIRST })));
    expect(await desk.do('prune', '--dry-run', '--vault', 'vault', '--key-file', 'key')).toContain('There is nothing to do yet.');
    await desk.do('prune', '--vault', 'vault', '--key-file', 'key');
    expect(await fetch(desk, FIRST)).toMatchObject({ code: 0 });
  });
});
