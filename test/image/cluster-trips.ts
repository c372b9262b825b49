import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { fingerprint, makeRich } from '../sources/postgres/rich-database.ts';
import { Receiving } from '../support/point-in-time.ts';
import { freePort } from '../support/servers/servers.ts';
import { serverUser, startPostgres, startRestored } from '../support/servers/postgres.ts';
import type { InstalledVersion } from '../support/servers/postgres.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import type { Contained, ImageDesk } from './contained.ts';
import { ROWS, backUp, inWords, personFor, placeOf } from './round-trips.ts';
import type { Outcome } from './round-trips.ts';

const SEGMENT = /^[0-9A-F]{24}$/;
const PATIENCE_MS = 60_000;

/**
 * A base backup, rows after it, the server gone; base backup and WAL come back as a data directory, which a server of this
 * machine starts on: there is none in the image. Containers run as the user of the server, so that they may read its WAL
 * and the directory is its own.
 */
export async function wholeCluster(desk: ImageDesk, version: InstalledVersion, wal: 'wal-archive' | 'wal-receive'): Promise<Outcome> {
  const user = serverUser();
  const folder = temporaryFolder();
  mkdirSync(`${folder}/archive`);
  const archiving = wal === 'wal-archive' ? ['archive_mode = on', `archive_command = 'test ! -f ${folder}/archive/%f && cp %p ${folder}/archive/%f'`] : [];
  const server = await startPostgres({ version, settings: archiving });
  let receiving: Receiving | undefined;
  try {
    const person = personFor(desk, server, `cluster: { source: { type: postgres, mode: physical, ${placeOf(server)} } }`, { user, folder });
    chmodSync(folder, 0o700);
    await makeRich(server, 'app', ROWS);
    const made = await backUp(person, 'cluster');
    if (wal === 'wal-receive') {
      receiving = new Receiving(person, '--partial-every', '1s');
      await receiving.until((said) => said.includes('"wal-status"'));
    }
    await server.sql("insert into person (name) select 'after the base backup ' || i from generate_series(1, 5000) i; delete from event where amount % 3 = 0", { database: 'app' });
    const wanted = await fingerprint(server, 'app');
    const [{ segment } = { segment: '' }] = await server.sql<{ segment: string }>('select pg_walfile_name(pg_switch_wal()) as segment');
    if (wal === 'wal-archive') await archive(person, segment);
    else await until(`${segment} in the vault`, () => walIn(person.vault).includes(segment), () => receiving?.said);
    expect(await receiving?.stop()).toBe(receiving && 0);
    await server.stop();
    await expectToNeedServer(person, version);
    const found = await recovered(person, version);
    expect(withoutSequences(found)).toEqual(withoutSequences(wanted));
    for (const name of Object.keys(wanted).filter(isSequence)) expect(Number.parseInt(found[name] ?? '', 10)).toBeGreaterThanOrEqual(Number.parseInt(wanted[name] ?? '', 10));
    return { ...made, compared: inWords(wanted) };
  } finally {
    await receiving?.stop();
    await server.stop();
  }
}

/** WAL has them some numbers ahead, so that after a recovery none is given twice. */
const isSequence = (name: string) => name.startsWith('S ');

function withoutSequences(print: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(print).filter(([name]) => !isSequence(name)));
}

/** What an `archive_command` does that runs in the image; one after the other, up to the last. */
async function archive(person: Contained, last: string): Promise<void> {
  const archived = () => readdirSync(person.path('archive')).filter((name) => SEGMENT.test(name));
  await until(`${last} in the archive`, () => archived().includes(last));
  for (const name of archived().sort()) await person.do(['wal-archive', person.path('archive', name), name, '--plan', 'cluster']);
}

/** Said before anything is written. */
async function expectToNeedServer(person: Contained, version: InstalledVersion): Promise<void> {
  const { code, stderr } = await person.run(['restore', 'latest:cluster', '--to-data-directory', person.path('started'), '--start', String(await freePort())]);
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(new RegExp(`PostgreSQL ${version}\\.\\d+, and no server is installed here[^]*Nothing was done`)) });
  expect(readdirSync(person.folder)).not.toContain('started');
}

async function recovered(person: Contained, version: InstalledVersion): Promise<Record<string, string>> {
  mkdirSync(person.path('fetched'));
  person.own();
  for (const name of walIn(person.vault)) await person.do(['wal-fetch', name, person.path('fetched', name), '--plan', 'cluster']);
  // The end of WAL, as PostgreSQL understands it.
  expect(await person.run(['wal-fetch', '0000000100000000000000FF', person.path('fetched', 'none'), '--plan', 'cluster'])).toMatchObject({ code: 1 });
  await person.do(['restore', 'latest:cluster', '--to-data-directory', person.path('restored'), '--to-latest', '--restore-command', `cp ${person.path('fetched')}/%f %p`]);
  const restored = await startRestored(person.path('restored'), version);
  try {
    await until('the end of recovery', async () => (await restored.sql<{ is: boolean }>('select pg_is_in_recovery() as is'))[0]?.is === false, () => restored.output());
    return await fingerprint(restored, 'app');
  } finally {
    await restored.stop();
  }
}

/** Whole segments, by their names in the vault. */
function walIn(vault: string): string[] {
  return readdirSync(vault, { recursive: true }).map((path) => basename(String(path))).flatMap((name) => (SEGMENT.test(name) ? [name] : [])).sort();
}

async function until(what: string, isSo: () => boolean | Promise<boolean>, explain: () => string | undefined = () => ''): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`waited for ${what}: ${explain() ?? ''}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

