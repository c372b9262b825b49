import { HoldfastError } from '../../../model/errors.ts';
import type { Clock } from '../../../model/clock.ts';
import type { ClientPlaces } from '../../client-programs.ts';
import type { OpenedConnection } from '../../opened-connection.ts';
import type { ProcessEnd } from '../../process-group.ts';
import { howItEnded, startProgram } from '../../program.ts';
import { findProgram, versionOf } from '../client.ts';
import type { PostgresVersion } from '../client.ts';
import { describeConnection, secretsOf, serverName } from '../connection.ts';
import type { PostgresConnection } from '../connection.ts';
import { knownFailure } from '../failures.ts';
import { query } from '../query.ts';
import { parseLsn } from './lsn.ts';

/** What receiving WAL needs of PostgreSQL's own programs; both are of one major version. */
export interface WalClient {
  readonly version: PostgresVersion;
  readonly pgReceivewal: string;
  readonly psql: string;
}

/** What a server says over a connection for replication. */
export interface WalServer {
  readonly systemId: string;
  readonly timeline: number;
  /** Up to where its WAL is flushed. */
  readonly lsn: bigint;
  readonly version: PostgresVersion;
}

export interface Reached {
  readonly client: WalClient;
  readonly connection: PostgresConnection;
  readonly opened: OpenedConnection;
  readonly clock: Clock;
}

/** One run of pg_receivewal. */
export interface Receiver {
  /** Never rejects. Undefined: it ended well, as it does when it is stopped. */
  readonly ended: Promise<HoldfastError | undefined>;
  stop(): Promise<void>;
}

/** Slots that pg_receivewal reads by itself after a start, and `--no-loop` with them. */
const OLDEST_MAJOR = 15;
const SLOT = /^[a-z0-9_]{1,63}$/;

/** Finds pg_receivewal and psql and asks their version. Fails as `source-failed`. */
export async function findWalClient(places: ClientPlaces): Promise<WalClient> {
  const pgReceivewal = await findProgram('pg_receivewal', places);
  const psql = await findProgram('psql', places);
  return { version: await versionOf(pgReceivewal, places.environment), pgReceivewal, psql };
}

/** Fails as `usage`. */
export function checkSlotName(slot: string): string {
  if (SLOT.test(slot)) return slot;
  throw new HoldfastError('usage', `${JSON.stringify(slot)} is no name of a replication slot, wanted 1 to 63 of the characters a-z, 0-9 and _.`);
}

/** Fails as `source-failed` when client and server do not go together, before pg_receivewal would. */
export async function askServer(reached: Reached, signal?: AbortSignal): Promise<WalServer> {
  const { client, connection, opened } = reached;
  const asked = { client, connection, opened: { ...opened, argument: replicating(opened) }, signal };
  const [[systemId = '', timeline = '', lsn = ''] = []] = await query(asked, 'IDENTIFY_SYSTEM;');
  const [[text = ''] = []] = await query(asked, 'SHOW server_version;');
  const version = { text, major: Number.parseInt(text, 10) };
  refuseVersions(connection, client, version);
  return { systemId, timeline: Number(timeline), lsn: parseLsn(lsn), version };
}

/** Makes the slot that keeps the server from removing WAL which was not received. Callable twice. */
export async function makeSlot(reached: Reached, slot: string): Promise<void> {
  const { ended } = start(reached, ['--slot', checkSlotName(slot), '--create-slot', '--if-not-exists']);
  const failure = await ended;
  if (failure !== undefined) throw failure;
}

/** Of a slot that stands nowhere any more. One that somebody receives through is refused by the server. */
export async function makeSlotAnew(reached: Reached, slot: string): Promise<void> {
  const failure = await start(reached, ['--slot', checkSlotName(slot), '--drop-slot']).ended;
  if (failure !== undefined) throw failure;
  await makeSlot(reached, slot);
}

/**
 * Up to where WAL was received through a slot and flushed by the receiver; undefined of one through which nothing was. Other
 * than the view of slots, this command may be given over a connection for replication.
 */
export async function askSlot({ client, connection, opened }: Reached, slot: string, signal?: AbortSignal): Promise<bigint | undefined> {
  const asked = { client, connection, opened: { ...opened, argument: replicating(opened) }, signal };
  const [[, lsn = ''] = []] = await query(asked, `READ_REPLICATION_SLOT ${checkSlotName(slot)};`);
  return lsn === '' ? undefined : parseLsn(lsn);
}

/** 1 MiB to 1 GiB, as initdb was told. */
export async function askSegmentBytes({ client, connection, opened }: Reached, signal?: AbortSignal): Promise<number> {
  const asked = { client, connection, opened: { ...opened, argument: replicating(opened) }, signal };
  const [[text = ''] = []] = await query(asked, 'SHOW wal_segment_size;');
  const [, size, unit] = /^(\d+)(MB|GB)$/.exec(text) ?? [];
  if (size !== undefined) return Number(size) * (unit === 'GB' ? 1 << 30 : 1 << 20);
  throw new HoldfastError('source-failed', `The server at ${serverName(connection)} says that its WAL segments are of ${JSON.stringify(text)}, wanted a number of MB or GB.`, { retryable: true });
}

/** Of a failure of pg_receivewal: what it wanted is not on the server any more. */
export function wasRemoved(failed: HoldfastError | undefined): boolean {
  return failed?.data['isRemoved'] === true;
}

/** Receives into `folder` until it is stopped or fails: who supervises it decides what then (`--no-loop`). */
export function startReceiver(reached: Reached, { slot, folder }: { readonly slot: string; readonly folder: string }): Receiver {
  return start(reached, ['--slot', checkSlotName(slot), '--directory', folder, '--synchronous', '--no-loop', '--status-interval', '5'], folder);
}

function start({ client, connection, opened, clock }: Reached, args: readonly string[], folder?: string): Receiver {
  const words = [client.pgReceivewal, ...args, '--no-password', '--dbname', opened.argument];
  const { group, said } = startProgram(words, { stdout: 'ignore', environment: opened.environment, secrets: secretsOf(connection), clock });
  let isStopped = false;
  return {
    ended: group.ended.then((end) => (isStopped || end.code === 0 ? undefined : failure({ client, connection, folder }, end, said.text()))),
    // Its answer to SIGTERM is to write out what it has and to end.
    stop: () => {
      isStopped = true;
      return group.kill();
    },
  };
}

interface Failing extends Pick<Reached, 'client' | 'connection'> {
  readonly folder: string | undefined;
}

function failure({ client: { pgReceivewal }, connection, folder }: Failing, end: ProcessEnd, said: string): HoldfastError {
  if (folder !== undefined && FULL.test(said)) return new HoldfastError('no-space', `The spool ${folder} is full: ${said}`, { nextStep: 'Free space there, or set XDG_STATE_HOME to a larger file system. Nothing is lost: the server keeps the WAL for the slot, and receiving goes on by itself when there is room.', retryable: true });
  const row = FAILURES.find(({ pattern }) => pattern.test(said));
  if (row !== undefined) return new HoldfastError('source-failed', `WAL of ${describeConnection(connection)} cannot be received: ${said}`, { nextStep: row.nextStep, retryable: row.retryable, ...(row.isRemoved && { data: { isRemoved: true } }) });
  const known = knownFailure(said, connection);
  if (known?.retryable === true) return new HoldfastError(known.code, `WAL of ${describeConnection(connection)} cannot be received: ${said}`, { nextStep: 'What was received is kept, and it is started again by itself. If this goes on, see the log of the server.', retryable: true });
  return known ?? new HoldfastError('source-failed', `${pgReceivewal} ${howItEnded(end)}. It said: ${said || 'nothing'}`, { nextStep: 'It is started again. If this goes on, run it by hand and mend what it says.', retryable: true });
}

const FULL = /No space left on device|Disk quota exceeded/i;

const FAILURES: readonly { readonly pattern: RegExp; readonly retryable: boolean; readonly isRemoved?: boolean; readonly nextStep: string }[] = [
  {
    isRemoved: true,
    pattern: /has already been removed|can no longer (?:get changes|access replication slot)|invalidated|exceeded the maximum reserved size/,
    retryable: true,
    nextStep: 'The server removed WAL that was not received, so there is a gap. Receiving goes on behind it by itself. Take a base backup at once: `holdfast pitr windows` shows from where on you can restore.',
  },
  { pattern: /all replication slots are in use/, retryable: false, nextStep: 'Raise max_replication_slots, or drop a slot that nobody uses: SELECT slot_name, active FROM pg_replication_slots.' },
  { pattern: /replication slot .* is active/, retryable: true, nextStep: 'Something else receives through this slot: stop it, or name another slot with --slot.' },
  { pattern: /must be superuser or replication role|permission denied to (start WAL sender|use replication slots|create replication slot)/, retryable: false, nextStep: 'As a superuser: ALTER ROLE … REPLICATION.' },
  { pattern: /replication slots can only be used if|wal_level/, retryable: false, nextStep: 'Set wal_level = replica (or logical) and max_wal_senders above 0, and restart the server.' },
  { pattern: /requested starting point .* is ahead of|starting timeline .* is not present/, retryable: true, nextStep: 'The server is another one, or was restored to an earlier state. Each system and timeline has a folder of its own in the spool; give a restored copy a plan of its own.' },
];

function refuseVersions(connection: PostgresConnection, { pgReceivewal, version }: WalClient, server: PostgresVersion): void {
  const seen = `The server at ${serverName(connection)} is PostgreSQL ${server.text}, and ${pgReceivewal} is ${version.text}`;
  const data = { server: server.text, client: version.text };
  if (server.major < OLDEST_MAJOR) throw new HoldfastError('unsupported', `${seen}: servers before ${OLDEST_MAJOR} do not tell where a slot stands, so that a start after a crash could leave a gap. Nothing was started.`, { nextStep: 'Use `holdfast wal-archive` as archive_command of this server.', data });
  if (server.major <= version.major) return;
  throw new HoldfastError('source-failed', `${seen}: pg_receivewal refuses servers newer than itself. Nothing was started.`, {
    nextStep: `Install the client programs of PostgreSQL ${server.major} (Debian and Ubuntu: postgresql-client-${server.major}) and put them first in PATH, or name their folder with HOLDFAST_POSTGRES_BIN.`, data,
  });
}

function replicating({ argument }: OpenedConnection): string {
  return `${argument} replication=true`;
}
