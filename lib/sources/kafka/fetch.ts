import { fetchV13 } from '@platformatic/kafka';
import type { Connection, Reader } from '@platformatic/kafka';
import { refuseCode } from './failures.ts';
import type { KafkaApi, KafkaCluster } from './cluster.ts';

export interface FetchPlace {
  readonly topic: string;
  /** A topic that was deleted and made again is another one. */
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
}

/** What a leader answered; undefined when it gave nothing because of a quota. */
export interface Fetched {
  /** Batches as they lie in the log, from the one that holds the offset on; the last may be cut. Empty: there is none now. */
  readonly batches: Buffer;
  readonly logStart: number;
  readonly highWatermark: number;
  /** Records behind it belong to transactions that have not ended. */
  readonly lastStable: number;
  /** Transactions among the batches that were given up. */
  readonly aborted: readonly AbortedTransaction[];
}

export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: number;
}

const READ_COMMITTED = 1;
/** The leader waits so long for a record where there is none. */
const WAIT_MS = 250;
const WANTED_BYTES = 8 << 20;

/** Fails as `KafkaCluster.ask`; as a `KafkaRefusal` of `OFFSET_OUT_OF_RANGE` where the log begins later by now. */
export async function fetchBatches(cluster: Pick<KafkaCluster, 'ask'>, { topic, topicId, partition, offset }: FetchPlace): Promise<Fetched | 'out-of-range' | undefined> {
  const answer = await cluster.ask({
    to: { topic, partition },
    api: RAW_FETCH,
    args: [{ topicId, partition, offset }],
    doing: `Reading partition ${partition} of topic ${topic} from offset ${offset}`,
    check: ({ errorCode, found }) => {
      refuseCode(errorCode);
      if (found !== undefined && found.errorCode !== OFFSET_OUT_OF_RANGE) refuseCode(found.errorCode, `topic ${topic}`);
    },
  });
  return answer.found?.errorCode === OFFSET_OUT_OF_RANGE ? 'out-of-range' : answer.found;
}

const OFFSET_OUT_OF_RANGE = 1;

interface RawAnswer {
  readonly errorCode: number;
  readonly found: (Fetched & { readonly errorCode: number }) | undefined;
}

/**
 * The library's own answer has decoded records: without their checksums compared, and with what is cut at the end left out in
 * silence. Its connection, and here the bytes.
 */
const RAW_FETCH: KafkaApi<[Omit<FetchPlace, 'topic'>], RawAnswer> = {
  key: fetchV13.api.key,
  version: fetchV13.api.version,
  async: (connection: Connection, { topicId, partition, offset }) => new Promise((resolve, reject) => {
    const topics = [{ topicId, partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: BigInt(offset), lastFetchedEpoch: -1, partitionMaxBytes: WANTED_BYTES }] }];
    connection.send(fetchV13.api.key, fetchV13.api.version, () => fetchV13.createRequest(WAIT_MS, 1, WANTED_BYTES, READ_COMMITTED, 0, -1, topics, [], ''), parseAnswer, true, true, (error, answer) => (error ? reject(error) : resolve(answer as RawAnswer)));
  }),
};

/** "Fetch Response (Version: 13)" of the protocol's documentation. */
function parseAnswer(_correlation: number, _key: number, _version: number, reader: Reader): RawAnswer {
  reader.readInt32(); // How long a quota delays the next answer.
  const errorCode = reader.readInt16();
  reader.readInt32(); // No session was asked for.
  const partitions = reader.readArray((topic) => {
    topic.readUUID();
    return topic.readArray((partition) => ({
      partition: partition.readInt32(),
      errorCode: partition.readInt16(),
      highWatermark: Number(partition.readInt64()),
      lastStable: Number(partition.readInt64()),
      logStart: Number(partition.readInt64()),
      aborted: partition.readNullableArray((transaction) => ({ producerId: transaction.readInt64(), firstOffset: Number(transaction.readInt64()) })) ?? [],
      preferred: partition.readInt32(),
      batches: partition.readNullableBytes() ?? Buffer.alloc(0),
    }));
  }).flat();
  return { errorCode, found: partitions[0] };
}
