import { Timestamp } from 'mongodb';
import type { Collection, MongoClient } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import { TYPE, documentOf, elementOf, textOf } from './elements.ts';
import type { Topology } from './topology.ts';

/** A place in the oplog: seconds since the epoch, and the number within the second. */
export interface OplogTime {
  readonly seconds: number;
  readonly number: number;
}

export function oplogTimeText({ seconds, number }: OplogTime): string {
  return `${seconds}:${number} (${new Date(seconds * 1000).toISOString()})`;
}

/**
 * Where replaying has to begin so that all that is read from now on becomes of one moment: the oldest transaction that is
 * still open, else the newest entry (mongo-tools, mongodump/oplog_dump.go).
 */
export async function oplogStart(client: MongoClient): Promise<OplogTime> {
  const [open] = (await client.db('config').collection('transactions').find({ state: { $in: ['prepared', 'inProgress'] } }, { raw: true, readConcern: { level: 'local' } }).sort({ startOpTime: 1 }).limit(1).toArray()) as unknown as Buffer[];
  const began = open === undefined ? undefined : timeIn(documentOf(open, 'startOpTime'), 'ts');
  return began ?? (await oplogEnd(client));
}

export async function oplogEnd(client: MongoClient): Promise<OplogTime> {
  return edgeOf(client, -1);
}

/** What was forgotten cannot be replayed. Fails when that begins behind `start`. */
export async function refuseForgotten(client: MongoClient, start: OplogTime): Promise<void> {
  const oldest = await edgeOf(client, 1);
  if (isAfter(oldest, start)) {
    throw new HoldfastError('source-failed', `The oplog begins at ${oplogTimeText(oldest)} now, behind ${oplogTimeText(start)}, where this backup began: what changed between is gone, and its collections are of no one moment.`, {
      nextStep: 'Nothing of this run is kept. Make the oplog larger (replSetResizeOplog), back up at a quieter time, or set `oplog: none`.',
    });
  }
}

/** The entries from one place to another, both among them. */
export function oplogBetween(client: MongoClient, start: OplogTime, end: OplogTime) {
  return oplogOf(client).find({ ts: { $gte: stamp(start), $lte: stamp(end) } }, { raw: true, batchSize: 2000 });
}

/** Refuses what no replay can follow (mongo-tools, mongodump/oplog_dump.go), and remembers the last entry. */
export class OplogReader {
  first: OplogTime | undefined;
  last: OplogTime | undefined;

  readonly see = (entry: Buffer): void => {
    const time = timeIn(entry, 'ts');
    if (time === undefined) throw new HoldfastError('source-failed', 'An entry of the oplog has no time.', { nextStep: 'Nothing of this run is kept. Look into the log of the server.' });
    this.first ??= time;
    this.last = time;
    const command = documentOf(entry, 'o');
    const refused = command && textOf(entry, 'op') === 'c' && ['renameCollection', 'importCollection', 'upgradeDowngradeViewlessTimeseries'].find((name) => elementOf(command, name) !== undefined);
    if (refused || textOf(entry, 'ns') === 'admin.system.version') {
      throw new HoldfastError('source-failed', `While the backup ran, ${refused ? `a ${refused} was made` : 'the collection admin.system.version was changed'} on the server, and mongorestore cannot replay that.`, { retryable: true, nextStep: 'Nothing of this run is kept. Start again when it is over, or set `oplog: none`.' });
    }
  };
}

/** Fails when another member was elected meanwhile: what was read before and after need not fit together. */
export function refuseElection(before: Topology, after: Topology): void {
  if (before.election === after.election) return;
  throw new HoldfastError('source-failed', `The replica set ${before.set ?? ''} elected another primary while it was read, so that its collections and its oplog need not fit together.`, { retryable: true, nextStep: 'Nothing of this run is kept. Start again.' });
}

async function edgeOf(client: MongoClient, direction: 1 | -1): Promise<OplogTime> {
  const [entry] = (await oplogOf(client).find({}, { raw: true }).sort({ $natural: direction }).limit(1).toArray()) as unknown as Buffer[];
  const time = timeIn(entry, 'ts');
  if (time === undefined) throw new HoldfastError('source-failed', `The oplog (local.oplog.rs) has no ${direction === 1 ? 'first' : 'last'} entry with a time.`, { nextStep: 'Nothing of this run is kept. Look whether the replica set was initiated, or set `oplog: none`.' });
  return time;
}

function oplogOf(client: MongoClient): Collection {
  return client.db('local').collection('oplog.rs');
}

function timeIn(document: Buffer | undefined, name: string): OplogTime | undefined {
  const element = document && elementOf(document, name);
  return element?.type === TYPE.timestamp ? { seconds: element.value.readUInt32LE(4), number: element.value.readUInt32LE(0) } : undefined;
}

function stamp({ seconds, number }: OplogTime): Timestamp {
  return new Timestamp({ t: seconds, i: number });
}

export function isAfter(one: OplogTime, other: OplogTime): boolean {
  return one.seconds > other.seconds || (one.seconds === other.seconds && one.number > other.number);
}
