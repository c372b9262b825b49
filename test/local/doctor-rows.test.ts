import { chmodSync, mkdirSync, readdirSync, statfsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../lib/config/load-config.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { keyChecks } from '../../lib/local/doctor-key.ts';
import { machineChecks } from '../../lib/local/doctor-machine.ts';
import { programChecks } from '../../lib/local/doctor-programs.ts';
import { contentChecks, placeChecks } from '../../lib/local/doctor-vault.ts';
import type { DoctorCheck } from '../../lib/local/doctor-vault.ts';
import type { VaultChoice } from '../../lib/local/vault-choice.ts';
import { newRepositoryConfig, openRepository, recordDamage } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { ProbeFinding } from '../../lib/stores/probe.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { verify } from '../../lib/validation/verify.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { SmallBackups } from '../support/small-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DAY = 24 * 60 * 60_000;
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

/** Rows that say something, by their check; what is thrown as the program would show it. */
async function rowsOf(checks: readonly DoctorCheck[]): Promise<Record<string, ProbeFinding>> {
  const rows: Record<string, ProbeFinding> = {};
  for (const { check, run } of checks) {
    const finding = await Promise.resolve().then(run).catch((error: unknown) => {
      if (!isHoldfastError(error)) throw error;
      return { result: 'failed', seen: error.message, nextStep: error.nextStep } as ProbeFinding;
    });
    if (finding) rows[check] = finding;
  }
  return rows;
}

const choiceOf = (more: Partial<VaultChoice> = {}): VaultChoice => ({ directory: join(folder, 'vault'), key: { kind: 'key-file', path: join(folder, 'key') }, keyFrom: '--key-file', isDefault: false, ...more });

describe('what doctor says of the place of a vault (F1)', () => {
  test('on the disk of its sources it is warned of, elsewhere it is not', async () => {
    mkdirSync(join(folder, 'vault'));
    mkdirSync(join(folder, 'data'));
    const same = await rowsOf(placeChecks(join(folder, 'vault'), [join(folder, 'data')]));
    expect(same['lies apart from what it protects']).toMatchObject({ result: 'warning', seen: expect.stringContaining('if that disk dies, both are gone') as string });
    expect((await rowsOf(placeChecks(join(folder, 'vault'), ['/proc'])))['lies apart from what it protects']).toMatchObject({ result: 'ok' });
    expect(Object.keys(await rowsOf(placeChecks(join(folder, 'vault'), [])))).toEqual(['has room']);
    expect(Object.keys(await rowsOf(placeChecks(join(folder, 'absent'), [join(folder, 'data')])))).toEqual(['takes new backups']);
  });

  test('free space is told as the file system tells it', async () => {
    const { bavail, bsize } = statfsSync(folder);
    const { seen } = (await rowsOf(placeChecks(folder, [])))['has room']!;
    expect(Number(/([\d.]+) GiB free/.exec(seen)?.[1])).toBeCloseTo((bavail * bsize) / 1024 ** 3, -1);
    // A file system that is full and takes nothing.
    expect((await rowsOf(placeChecks('/proc/self', [])))['takes new backups']).toMatchObject({ result: 'warning', seen: expect.stringMatching(/may not write to \/proc\/self \(E[A-Z]+\)/) as string });
  });
});

describe('what doctor says of what lies in a vault (F1)', () => {
  async function made() {
    const clock = new LeapingClock();
    const store = new MemoryStore(clock);
    const config = newRepositoryConfig();
    const key = await createKeyFile(join(folder, 'key'));
    await writeSlots(store, (await createSlots(config.repository, [key])).slots);
    const keys = await openSlots(store, config.repository, key);
    const repository = openRepository(store, config, keys);
    return { clock, store, repository, rows: async (more: Partial<VaultChoice> = {}) => rowsOf(await contentChecks({ choice: choiceOf(more), store, config, keys, clock })) };
  }

  test('an empty vault says nothing', async () => {
    expect(await (await made()).rows()).toEqual({});
  });

  test('what was not read for long is told, by the days of the configuration or ninety', async () => {
    const { clock, repository, rows } = await made();
    await new SmallBackups(repository).make(['one', 'two']);
    clock.advance(80 * DAY);
    expect((await rows())['was read again']).toMatchObject({ result: 'ok', seen: expect.stringMatching(/80\.0 days ago; (\d+) of \1 were never read/) as string });
    expect((await rows({ coverage: { withinDays: 30 } }))['was read again']).toMatchObject({ result: 'warning', nextStep: 'Run `holdfast verify`, and from cron every day.' });
    clock.advance(20 * DAY);
    expect((await rows())['was read again']).toMatchObject({ result: 'warning', seen: expect.stringContaining('for more than 90 days') as string, nextStep: 'Run `holdfast verify --within 30` from cron every day.' });
    await verify(repository, { level: 'full', clock });
    expect((await rows())['was read again']).toMatchObject({ result: 'ok', seen: expect.stringContaining('was read 0.0 days ago') as string });
  });

  test('known damage is told, and marks that nobody prunes', async () => {
    const { clock, store, rows } = await made();
    await recordDamage(store, 'packs/hot/w/aa/0123', 'seen');
    await store.put('condemned/0456.01', Buffer.from('{}'));
    expect(Object.keys(await rows())).toEqual(['is free of known damage']);
    expect((await rows())['is free of known damage']).toMatchObject({ result: 'warning', seen: '1 pack is recorded as damaged' });
    clock.advance(2 * DAY);
    expect((await rows())['is pruned']).toMatchObject({ result: 'ok', seen: expect.stringContaining('the next `holdfast prune` takes it') as string });
    clock.advance(20 * DAY);
    expect((await rows())['is pruned']).toMatchObject({ result: 'warning', seen: '1 condemned pack has waited for a second look for up to 22.0 days' });
  });
});

describe('what doctor says of the key of a vault (K11)', () => {
  const slotsOf = async (count: number) => {
    const { repository } = newRepositoryConfig();
    const key = await createKeyFile(join(folder, `key-${count}`));
    return (await createSlots(repository, [key, ...(count > 1 ? [passphraseWrapper('a long passphrase of many words')] : [])])).slots;
  };

  test('one slot alone is warned of, with how a second is added; two are named', async () => {
    expect((await rowsOf(keyChecks(choiceOf(), await slotsOf(1))))['has a second']).toMatchObject({ result: 'warning', nextStep: expect.stringContaining('keys make-recipient') as string });
    expect((await rowsOf(keyChecks(choiceOf(), await slotsOf(2))))['has a second']).toMatchObject({ result: 'ok', seen: expect.stringMatching(/^2 slots open everything: key-file key-2, passphrase/) as string });
  });

  test('a slot for metadata alone is no second, nor is one of an older number', async () => {
    const [whole, other] = await slotsOf(2);
    const { data: _, ...withoutData } = other!.wrapped;
    expect((await rowsOf(keyChecks(choiceOf(), [whole!, { ...other!, wrapped: withoutData as NonNullable<typeof whole>['wrapped'] }])))['has a second']?.result).toBe('warning');
    expect((await rowsOf(keyChecks(choiceOf(), [{ ...whole!, keyNumber: 2 }, other!])))['has a second']?.result).toBe('warning');
  });

  test('a key inside of its vault, and one in a folder that everybody may write to, are warned of', async () => {
    const slots = await slotsOf(2);
    const inside = await rowsOf(keyChecks(choiceOf({ key: { kind: 'key-file', path: join(folder, 'vault', 'key') } }), slots));
    expect(inside['lies apart from the vault']?.result).toBe('warning');
    mkdirSync(join(folder, 'open'));
    chmodSync(join(folder, 'open'), 0o777);
    const open = await rowsOf(keyChecks(choiceOf({ key: { kind: 'key-file', path: join(folder, 'open', 'key') } }), slots));
    expect(open['is in a safe folder']).toMatchObject({ result: 'warning', nextStep: `chmod o-w ${join(folder, 'open')}` });
    chmodSync(join(folder, 'open'), 0o1777);
    expect(Object.keys(await rowsOf(keyChecks(choiceOf({ key: { kind: 'key-file', path: join(folder, 'open', 'key') } }), slots)))).toEqual(['has a second']);
  });
});

describe('what doctor says of the programs that plans need (F1)', () => {
  const rows = async (plans: string, variables: Record<string, string>) => {
    const config = loadConfig(`vaults: { main: { directory: vault, key-file: key } }\nplans: ${plans}\n`, join(folder, 'holdfast.yaml'), {});
    return rowsOf(await programChecks(config, { variables, home: folder, workingFolder: folder, temporaryFolder: folder }));
  };
  const POSTGRES = '{ app: { source: { type: postgres, host: localhost, database: app, user: app } } }';
  const command = (line: string) => `{ dump: { source: { type: command, command: ${JSON.stringify(line)}, stdin-name: dump } } }`;
  const program = (name: string, says = '') => {
    writeFileSync(join(folder, name), `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
  };

  test('files and SQLite need none, and nothing is said', async () => {
    expect(await rows(`{ one: { source: { type: files, paths: [there] } }, two: { source: { type: sqlite, path: db } } }`, {})).toEqual({});
  });

  test('PostgreSQL as a whole: the version of pg_basebackup', async () => {
    const cluster = '{ all: { source: { type: postgres, mode: physical, host: localhost, user: backup } } }';
    for (const name of ['pg_basebackup', 'psql']) program(name, `${name} (PostgreSQL) 17.5`);
    expect((await rows(cluster, { PATH: folder }))['has the programs of base backups']).toMatchObject({ result: 'ok', seen: `pg_basebackup 17.5 (${join(folder, 'pg_basebackup')}) for plan all; each run compares it with its server. \`holdfast wal-receive\` would need pg_receivewal, which is not here; \`wal-archive\` does not` });
    program('pg_receivewal', 'pg_receivewal (PostgreSQL) 17.5');
    expect((await rows(cluster, { PATH: folder }))['has the programs of base backups']?.seen).toContain('`holdfast wal-receive` has pg_receivewal 17.5');
    program('psql', 'psql (PostgreSQL) 16.1');
    expect((await rows(cluster, { PATH: `${folder}:/usr/bin:/bin` }))['has the programs of base backups']).toMatchObject({ result: 'failed', seen: expect.stringContaining('wanted one version') as string });
    expect((await rows(cluster, { PATH: join(folder, 'nowhere') }))['has the programs of base backups']).toMatchObject({ result: 'failed', seen: 'The program pg_basebackup is not in PATH.' });
  });

  test('PostgreSQL: the version that is found, or what is missing and where it comes from', async () => {
    for (const name of ['pg_dump', 'pg_restore', 'psql']) program(name, `${name} (PostgreSQL) 17.5`);
    expect((await rows(POSTGRES, { PATH: `${folder}:/usr/bin:/bin` }))['has the programs of PostgreSQL']).toMatchObject({ result: 'ok', seen: `PostgreSQL 17.5 (${join(folder, 'pg_dump')}) for plan app; each run compares it with its server` });
    expect((await rows(POSTGRES, { PATH: join(folder, 'nowhere') }))['has the programs of PostgreSQL']).toMatchObject({ result: 'failed', seen: 'The program pg_dump is not in PATH.', nextStep: expect.stringContaining('postgresql-client') as string });
  });

  test('a backup of the whole server needs pg_dumpall, one of a database does not', async () => {
    for (const name of ['pg_dump', 'pg_restore', 'psql']) program(name, `${name} (PostgreSQL) 17.5`);
    const server = '{ all: { source: { type: postgres, host: localhost, databases: all, user: app } } }';
    expect(await rows(POSTGRES, { PATH: folder })).not.toHaveProperty('has the program for roles');
    expect((await rows(server, { PATH: folder }))['has the program for roles']).toMatchObject({ result: 'failed', seen: 'The program pg_dumpall is not in PATH.', nextStep: expect.stringContaining('postgresql-client') as string });
    program('pg_dumpall', 'pg_dumpall (PostgreSQL) 17.5');
    expect((await rows(server, { PATH: folder }))['has the program for roles']).toMatchObject({ result: 'ok', seen: `pg_dumpall 17.5 (${join(folder, 'pg_dumpall')}) for plan all` });
  });

  test('a command whose program is not there is named with its plan', async () => {
    program('my-dump');
    symlinkSync('/bin/sh', join(folder, 'sh'));
    const PATH = `${folder}:/usr/bin:/bin`;
    expect((await rows(command('my-dump --all | sed s/a/b/'), { PATH }))['can run its commands']).toMatchObject({ result: 'ok' });
    expect((await rows(command('my-dunp --all'), { PATH }))['can run its commands']).toMatchObject({ result: 'failed', seen: 'not in PATH: my-dunp of plan dump' });
    expect((await rows(command('./my-dump'), { PATH }))['can run its commands']).toMatchObject({ result: 'ok' });
    for (const line of ['cd / && ls', 'A=1 absent', '"$TOOL" x', '(absent)']) expect((await rows(command(line), { PATH }))['can run its commands']).toMatchObject({ result: 'ok' });
  });
});

describe('what doctor says of the machine (F1)', () => {
  const machine = (variables: Record<string, string> = {}, temporary = folder) => rowsOf(machineChecks({ variables, home: folder, workingFolder: folder, temporaryFolder: temporary }));

  test('a machine that is fit has the rows that tell something, and nothing is left behind', async () => {
    expect(Object.keys(await machine())).toEqual(['runs Holdfast', 'has memory', 'keeps state']);
    expect(readdirSync(folder)).toEqual(['.local']);
  });

  test('a temporary folder that takes nothing is named', async () => {
    expect((await machine({}, join(folder, 'absent')))['has a temporary folder']).toMatchObject({ result: 'failed', seen: expect.stringMatching(/absent .*ENOENT/) as string });
  });
});
