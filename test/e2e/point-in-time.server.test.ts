import { chownSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Client } from 'pg';
import { Receiving, Ticker, commitsOf, instant, killReceivers, protectedCluster } from '../support/point-in-time.ts';
import type { Commit } from '../support/point-in-time.ts';
import { readableBy, reachableProgram } from '../support/reachable-program.ts';
import { freePort } from '../support/servers/servers.ts';
import type { PostgresServer } from '../support/servers/postgres.ts';
import type { Person } from './program.ts';

/** `HOLDFAST_PITR_TARGETS=20` with `HOLDFAST_PITR_PAUSE_MS=10` and `HOLDFAST_PITR_OUTAGE_MS=60000` is the long form (docs/testing.md). */
const TARGETS = Number(process.env['HOLDFAST_PITR_TARGETS'] ?? 1);
const PAUSE_MS = Number(process.env['HOLDFAST_PITR_PAUSE_MS'] ?? 10);
const OUTAGE_MS = Number(process.env['HOLDFAST_PITR_OUTAGE_MS'] ?? 1000);

interface WindowLine {
  readonly systemId: string;
  readonly bases: readonly { readonly backup: string; readonly stoppedAt: string }[];
  readonly lines: readonly { readonly timeline: number; readonly windows: readonly { readonly fromLsn: string; readonly toLsn: string; readonly fromTime: string; readonly lastTransactionAt: string }[]; readonly gaps: readonly object[] }[];
}

const servers: PostgresServer[] = [];
const receivers: Receiving[] = [];
const tickers: Ticker[] = [];
afterAll(async () => {
  for (const ticker of tickers) await ticker.stop();
  for (const receiver of receivers) await receiver.stop();
  await Promise.all(servers.map((server) => server.stop()));
});

describe('recovery to a moment (S2, R4)', () => {
  it('meets exactly the rows that were committed before any target, through restarts, a crash, killed receivers, an outage of the vault and a new timeline', async () => {
    const { server, person } = await protectedCluster(18);
    servers.push(server);
    const receiving = receive(person, '--partial-every', '1s');
    await receiving.until((said) => said.includes('"wal-status"'));
    const ticker = await tick(server);
    await person.do(['backup', 'cluster']);
    await ticks(ticker, 40);
    expect(killReceivers(person.folder)).toBe(1);
    await server.restart('SIGINT');
    await ticks(ticker, 40);
    await server.restart('SIGKILL');
    await ticks(ticker, 40);
    await person.do(['backup', 'cluster']);
    await outage(server, person, receiving, ticker);
    await server.restart('SIGINT', becomeNewTimeline);
    await leftRecovery(server);
    await receiving.until((said) => said.slice(said.lastIndexOf('"wal-status"')).includes('"timeline":2'));
    expect(readdirSync(join(person.folder, 'xdg', 'state', 'holdfast', 'repositories'), { recursive: true }).filter((path) => /0000000[12]$/.test(String(path)))).toHaveLength(2);
    await ticks(ticker, 40);
    await person.do(['backup', 'cluster']);
    await ticks(ticker, 40);
    await ticker.stop();
    const commits = await commitsOf(server);
    expect(await receiving.stop()).toBe(0);

    const [shown] = await person.json<WindowLine>(['pitr', 'windows', 'cluster']);
    expect(shown).toMatchObject({ lines: [{ timeline: 2, gaps: [], windows: [expect.anything()] }] });
    const last = commits.at(-1) as Commit;
    // What was committed last is in the vault: it was received before the stop.
    expect(shown?.lines[0]?.windows[0]?.lastTransactionAt).toBe(new Date(Math.floor(last.microseconds / 1000)).toISOString());
    for (const target of targets(shown as WindowLine, commits)) {
      const rows = await rowsAt(server, person, shown as WindowLine, target);
      expect([instant(target), rows]).toEqual([instant(target), commits.filter(({ microseconds }) => microseconds <= target).map(({ n }) => n).sort((left, right) => left - right)]);
    }
    await gap(person, shown as WindowLine);
  }, 60_000 + TARGETS * 30_000 + OUTAGE_MS);
});

describe('archive_command (S2)', () => {
  it('lets a server of another major keep its WAL, labels and histories by itself, and a recovery reads them back, the end of a timeline too', async () => {
    const { server, person } = await protectedCluster(15, { settings: ['archive_mode = on', 'wal_keep_size = 0'] });
    servers.push(server);
    mkdirSync(person.path('state'));
    readableBy(server.data, person);
    await server.sql(`alter system set archive_command = 'XDG_STATE_HOME=${person.path('state')} ${quickProgramOf(person)} archive %p %f --plan cluster --also-ready 20 --config ${person.path('work', 'holdfast.yaml')}'`);
    await server.sql('select pg_reload_conf()');
    const ticker = await tick(server);
    await person.do(['backup', 'cluster']);
    readableBy(server.data, person);
    await ticks(ticker, 20);
    // In the middle of a segment: a server that is stopped in peace fills it first.
    await server.restart('SIGKILL', becomeNewTimeline);
    await leftRecovery(server);
    await ticks(ticker, 20);
    await ticker.stop();
    const commits = await commitsOf(server);
    const [{ segment } = { segment: '' }] = await server.sql<{ segment: string }>('select pg_walfile_name(pg_switch_wal()) as segment');
    const archived = () => readdirSync(person.vault, { recursive: true }).map((path) => String(path).split('/').at(-1) ?? '').filter((name) => /^[0-9A-F]{8}/.test(name));
    // The end of the old timeline may come after the first segment of the new one.
    const wanted = [new RegExp(`^${segment}$`), /^00000002\.history$/, /^[0-9A-F]{24}\.[0-9A-F]{8}\.backup$/, /^00000001[0-9A-F]{16}\.partial\.\d+\.\w{26}$/];
    // Files ahead go at the same time, in no order, and the server asks for each of them afterwards.
    const asksFor = () => readdirSync(join(server.data, 'pg_wal', 'archive_status')).filter((name) => name.endsWith('.ready'));
    for (let waited = 0; asksFor().length > 0 || !wanted.every((name) => archived().some((found) => name.test(found))); waited++) {
      if (waited > 600) throw new Error(`Of ${wanted.join(' ')} only ${archived().join(' ')} were archived: ${server.output()}`);
      await pause(100);
    }
    // A note goes when PostgreSQL asks for its file; what is left is their folder.
    const notes = () => readdirSync(person.path('state'), { recursive: true }).map(String).filter((path) => path.startsWith('holdfast/wal-acknowledged/'));
    for (let waited = 0; notes().length !== 1; waited++) {
      if (waited > 600) throw new Error(`Notes were left: ${notes().join(' ')}`);
      await pause(100);
    }
    expect((await server.sql<{ failed: string }>('select failed_count as failed from pg_stat_archiver'))[0]?.failed).toBe('0');
    const [shown] = await person.json<WindowLine>(['pitr', 'windows', 'cluster']);
    expect(shown).toMatchObject({ lines: [{ timeline: 2, gaps: [], windows: [expect.anything()] }] });
    const [target = 0] = targets(shown as WindowLine, commits).slice(-1);
    expect(await rowsAt(server, person, shown as WindowLine, target)).toEqual(commits.filter(({ microseconds }) => microseconds <= target).map(({ n }) => n).sort((left, right) => left - right));
  }, 90_000);
});

describe('WAL that is late (R4)', () => {
  it('is noted to be kept while the server rests; a vault that falls behind is told, and that it has caught up; a spool that is lost leaves no gap', async () => {
    const { server, person } = await protectedCluster(18);
    servers.push(server);
    const receiving = receive(person, '--partial-every', '1s', '--warn-after', '4s');
    const notes = () => (existsSync(join(person.vault, 'wal-kept')) ? readdirSync(join(person.vault, 'wal-kept'), { recursive: true }).map(String).filter((path) => path.includes('/')) : []);
    const next = async (wanted: () => boolean) => {
      for (let waited = 0; !wanted(); waited++) {
        if (waited > 600) throw new Error(`wal-receive said: ${receiving.said}`);
        await pause(50);
      }
    };
    await next(() => notes().length > 0);
    const [before = ''] = notes();
    await next(() => !notes().includes(before));
    // Nothing was written in between, and one note is enough.
    expect(notes()[0]?.split('.').slice(1)).toEqual(before.split('.').slice(1));
    renameSync(person.vault, `${person.vault}.away`);
    await receiving.until((said) => said.includes('"wal-late"'));
    expect(receiving.said).toMatch(/The vault is behind: for \d\.\d s it did not hold all that the server has, wanted 4\.0 s at most; the last time it did was at/);
    expect(existsSync(person.vault)).toBe(false);
    renameSync(`${person.vault}.away`, person.vault);
    await receiving.until((said) => said.includes('"wal-caught-up"'));
    const { stdout } = await person.run(['pitr', 'windows', 'cluster', '--max-age', '15m']);
    expect(stdout).toMatch(/cluster: WAL was last known to arrive .* ago/);

    // Three segments are in the spool and nowhere else, and the slot says that they were received; then the spool is lost.
    await person.do(['backup', 'cluster']);
    renameSync(person.vault, `${person.vault}.away`);
    for (let segment = 0; segment < 3; segment++) await server.sql(`create table t${segment} as select 1 as one; select pg_switch_wal()`);
    const spools = join(person.folder, 'xdg', 'state', 'holdfast', 'repositories');
    const [repository = ''] = readdirSync(spools);
    const spooled = () => readdirSync(join(spools, repository, 'wal'), { recursive: true }).filter((path) => /[0-9A-F]{24}$/.test(String(path))).length;
    await next(() => spooled() >= 3);
    while ((await server.sql<{ is: boolean }>('select restart_lsn = pg_current_wal_flush_lsn() as is from pg_replication_slots'))[0]?.is !== true) await pause(50);
    receiving.child.kill('SIGKILL');
    killReceivers(person.folder);
    rmSync(join(spools, repository, 'wal'), { recursive: true });
    renameSync(`${person.vault}.away`, person.vault);
    const again = receive(person, '--partial-every', '1s');
    const { lsn } = (await server.sql<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn'))[0] as { lsn: string };
    await again.until((said) => said.includes(`"archivedLsn":"${lsn.split('/')[0]}/`) && /"behindBytes":0[,}]/.test(said));
    expect(await again.stop()).toBe(0);
    expect((await person.json<WindowLine>(['pitr', 'windows', 'cluster']))[0]).toMatchObject({ lines: [{ gaps: [] }] });
  }, 60_000);
});

async function tick(server: PostgresServer): Promise<Ticker> {
  const ticker = new Ticker(server, PAUSE_MS);
  tickers.push(ticker);
  await ticker.start();
  return ticker;
}

function receive(person: Person, ...options: readonly string[]): Receiving {
  const receiving = new Receiving(person, ...options);
  receivers.push(receiving);
  return receiving;
}

async function ticks(ticker: Ticker, count: number): Promise<void> {
  const wanted = ticker.committed + count;
  while (ticker.committed < wanted) await pause(20);
}

/** Nothing is lost while the vault is away: the spool holds it, and the server's own copy may go. */
async function outage(server: PostgresServer, person: Person, receiving: Receiving, ticker: Ticker): Promise<void> {
  renameSync(person.vault, `${person.vault}.away`);
  for (let segment = 0; segment < 4; segment++) {
    await ticks(ticker, 5);
    await server.sql('select pg_switch_wal()');
    await pause(OUTAGE_MS / 4);
  }
  await receiving.until((said) => /in the spool\. Tried again/.test(said));
  expect(existsSync(person.vault)).toBe(false);
  renameSync(`${person.vault}.away`, person.vault);
  await ticks(ticker, 20);
}

/** As after a failover: the server goes on, on a line of its own. */
function becomeNewTimeline(data: string): void {
  const { uid, gid } = statSync(data);
  writeFileSync(join(data, 'recovery.signal'), '');
  chownSync(join(data, 'recovery.signal'), uid, gid);
  const settings = join(data, 'postgresql.auto.conf');
  writeFileSync(settings, `${readFileSync(settings, 'utf8')}restore_command = 'false'\n`);
}

/** Reachable is not recovered: it may be read long before. */
async function leftRecovery(server: PostgresServer): Promise<void> {
  while ((await server.sql<{ is: boolean }>('select pg_is_in_recovery() as is'))[0]?.is === true) await pause(50);
}

/** Where somebody may want to go back to: between any two commits that lie behind the first base backup. */
function targets({ bases }: WindowLine, commits: readonly Commit[]): number[] {
  const possible = commits.filter(({ microseconds }) => microseconds / 1000 > Date.parse(bases[0]?.stoppedAt ?? '')).slice(0, -1);
  return Array.from({ length: TARGETS }, () => possible[Math.floor(Math.random() * possible.length)]?.microseconds ?? 0);
}

/** The rows of a server that was recovered to a moment, from the newest base backup before it. */
async function rowsAt(server: PostgresServer, person: Person, { bases }: WindowLine, target: number): Promise<number[]> {
  const base = bases.findLast(({ stoppedAt }) => Date.parse(stoppedAt) < target / 1000);
  const port = await freePort();
  const directory = join(dirname(server.data), `at-${target}`);
  readableBy(server.data, person);
  const [line] = await person.json<{ server?: { pid?: number } }>(['restore', base?.backup ?? '', '--to-data-directory', directory, '--start', String(port), '--to-time', instant(target), '--restore-command', fetchCommand(person)]);
  const client = new Client({ host: '127.0.0.1', port, user: server.user, password: server.password, database: 'postgres' });
  await client.connect();
  try {
    return (await client.query<{ n: string }>('select n from tick order by n')).rows.map(({ n }) => Number(n));
  } finally {
    await client.end();
    if (line?.server?.pid !== undefined) process.kill(line.server.pid, 'SIGINT');
  }
}

/** Where there is a state directory, what is fetched ahead is kept there. */
function fetchCommand(person: Person): string {
  const [state, options] = [person.path('state'), `--plan cluster --config ${person.path('work', 'holdfast.yaml')}`];
  return existsSync(state) ? `XDG_STATE_HOME=${state} ${quickProgramOf(person)} fetch %f %p ${options} --also-next 20` : `${programOf(person)} wal-fetch %f %p ${options}`;
}

function quickProgramOf(person: Person): string {
  const { node, script } = reachableProgram(person);
  return `NODE=${node} ${join(dirname(script), 'holdfast-wal')}`;
}

function programOf(person: Person): string {
  const { node, script } = reachableProgram(person);
  return `${node} ${script}`;
}

/** One segment that goes from the vault takes the moments behind it, and no others. */
async function gap(person: Person, before: WindowLine): Promise<void> {
  const folder = join(person.vault, 'wal');
  const segments = readdirSync(folder, { recursive: true }).map(String).filter((path) => /[0-9A-F]{24}$/.test(path)).sort();
  const lost = segments[segments.length - 3] as string;
  renameSync(join(folder, lost), join(person.folder, 'lost'));
  const ran = await person.run(['pitr', 'windows', 'cluster', '--json']);
  expect(ran.code).toBe(3);
  const shown = JSON.parse(ran.stdout) as WindowLine;
  expect(shown.lines[0]).toMatchObject({ timeline: before.lines[0]?.timeline, gaps: [{ missingSegments: 1 }] });
  renameSync(join(person.folder, 'lost'), join(folder, lost));
  const [again] = await person.json<WindowLine>(['pitr', 'windows', 'cluster']);
  expect(again?.lines[0]).toMatchObject({ gaps: [], windows: [{ toLsn: before.lines[0]?.windows[0]?.toLsn }] });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
