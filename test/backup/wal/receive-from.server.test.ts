import { mkdirSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { receiveFrom } from '../../../lib/backup/wal/receive-from.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { CONFIG_NAME, listWal } from '../../../lib/repository/index.ts';
import { connectionTo } from '../../sources/postgres/dumps.ts';
import { startPostgres } from '../../support/servers/postgres.ts';
import type { PostgresServer, PostgresVersion } from '../../support/servers/postgres.ts';
import { SMALL_PLAN } from '../../support/small-backup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { memoryVault } from '../../support/vault.ts';

const SLOT = 'holdfast_test';
const PATIENCE_MS = 30_000;

let server: PostgresServer;
afterEach(() => server.stop());

/** A receiver on a real server, with a vault in memory: `receive` lets it run while `work` does something. */
async function receiver() {
  const { repository, store } = memoryVault();
  await store.put(CONFIG_NAME, Buffer.from('{}'));
  const spoolFolder = join(temporaryFolder(), 'spool');
  const said: string[] = [];
  const receive = async <T>(work: () => Promise<T>): Promise<T> => {
    const stop = new AbortController();
    const receiving = receiveFrom({
      repository, plan: SMALL_PLAN, connection: connectionTo(server), places: { binaries: server.binaries, environment: process.env, temporaryFolder: temporaryFolder() }, spoolFolder, slot: SLOT, clock: systemClock, random: () => 0, mayForget: true,
    }, { partialEveryMs: 200, warnAfterMs: 60_000, noteEveryMs: 60_000, signal: stop.signal, onStatus: () => undefined, onKeptUp: () => undefined, onWarning: ({ message }) => said.push(message) });
    const done = await Promise.race([work(), receiving.then(() => Promise.reject(new Error('it ended by itself')))]);
    stop.abort();
    await receiving;
    return done;
  };
  const keeps = async (name: string) => {
    const late = AbortSignal.timeout(PATIENCE_MS);
    while (!(await listWal(store, SMALL_PLAN)).some((entry) => entry.kind === 'segment' && entry.name === name)) {
      if (late.aborted) throw new Error(`${name} did not arrive. It said: ${said.join(' | ')}`);
      await systemClock.sleep(50);
    }
  };
  const kept = async () => (await listWal(store, SMALL_PLAN)).map(({ kind, name }) => `${kind} ${name}`);
  return { receive, keeps, kept, said, spoolFolder };
}

/** The name of the segment that it fills. */
async function fillSegment(): Promise<string> {
  await server.sql('insert into t values (1)');
  const [{ name } = { name: '' }] = await server.sql<{ name: string }>('select pg_walfile_name(pg_switch_wal()) as name');
  return name;
}

async function slotState(): Promise<string | undefined> {
  return (await server.sql<{ state: string }>(`select wal_status as state from pg_replication_slots where slot_name = '${SLOT}'`))[0]?.state;
}

describe.each<[PostgresVersion]>([[15], [18]])('wal-receive from PostgreSQL %i (R4)', (version) => {
  beforeEach(async () => {
    server = await startPostgres({ version, settings: ['max_slot_wal_keep_size = 16MB', 'min_wal_size = 32MB', 'max_wal_size = 32MB', 'wal_keep_size = 0'] });
    await server.sql('create table t (i int)');
  });

  it('says that a slot was lost and that there is a gap, and goes on behind it with a slot that holds again', async () => {
    const { receive, keeps, said, spoolFolder } = await receiver();
    await receive(async () => {
      await untilSlot('reserved');
      await keeps(await fillSegment());
    });
    rmSync(spoolFolder, { recursive: true });
    await loseSlot();
    await receive(async () => {
      while (said.length === 0) await systemClock.sleep(50);
      // Only from now on it receives again.
      await untilSlot('reserved');
      await keeps(await fillSegment());
    });
    expect(said).toEqual([expect.stringMatching(/^WAL of database postgres at .* cannot be received: .*has already been removed/)]);
    expect(await slotState()).toBe('reserved');
  }, 60_000);

  it('goes on behind what it has of a segment that the server removed, and keeps that', async () => {
    const { receive, keeps, said, spoolFolder, kept } = await receiver();
    const beginnings = () => readdirSync(spoolFolder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.partial'));
    await receive(async () => {
      await untilSlot('reserved');
      await keeps(await fillSegment());
      await server.sql('insert into t values (1)');
      while (!beginnings().some((path) => readFileSync(join(spoolFolder, path)).some((byte) => byte !== 0))) await systemClock.sleep(50);
    });
    const [beginning = ''] = beginnings();
    await loseSlot();
    await receive(async () => {
      while (said.length === 0) await systemClock.sleep(50);
      await untilSlot('reserved');
      await keeps(await fillSegment());
    });
    expect(await kept()).toContain(`partial ${basename(beginning, '.partial')}`);
  }, 60_000);

  it('goes on where a full disk left a segment that is too short', async () => {
    const { receive, keeps, said, spoolFolder } = await receiver();
    await receive(async () => {
      await untilSlot('reserved');
      await keeps(await fillSegment());
    });
    const [{ system, next } = { system: '', next: '' }] = await server.sql<{ system: string; next: string }>('select system_identifier::text as system, pg_walfile_name(pg_current_wal_insert_lsn()) as next from pg_control_system()');
    const short = join(spoolFolder, system, '00000001', `${next}.partial`);
    rmSync(join(spoolFolder, system), { recursive: true });
    mkdirSync(dirname(short), { recursive: true });
    writeFileSync(short, '');
    truncateSync(short, 12_578_816);
    await receive(async () => keeps(await fillSegment()));
    expect(said).toEqual([]);
  }, 60_000);
});

/** The server keeps one segment for it, and writes more. */
async function loseSlot(): Promise<void> {
  for (let filled = 0; (await slotState()) !== 'lost'; filled++) {
    if (filled > 30) throw new Error(`the slot is ${await slotState()}`);
    await fillSegment();
    await server.sql('checkpoint');
  }
}

/** It is made before anything is received. */
async function untilSlot(state: string): Promise<void> {
  while ((await slotState()) !== state) await systemClock.sleep(50);
}
