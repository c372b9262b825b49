import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { attributesAt } from './attributes.ts';
import { KafkaCluster } from './kafka/cluster.ts';
import { fetchBatches } from './kafka/fetch.ts';
import type { GroupOffsets } from './kafka/groups.ts';
import { momentOf } from './kafka/moment.ts';
import type { KafkaMoment, Wanted } from './kafka/moment.ts';
import { PartitionRead } from './kafka/partition-read.ts';
import type { PartitionRange } from './kafka/partition-read.ts';
import { clusterName, userName } from './kafka/place.ts';
import type { KafkaPlace } from './kafka/place.ts';
import { isCompacted } from './kafka/topic-description.ts';
import type { TopicDescription } from './kafka/topic-description.ts';
import { openPumped } from './pumped-stream.ts';
import type { SourceStream, StreamProof, StreamSource } from './source.ts';

export interface KafkaOptions extends Wanted {
  readonly place: KafkaPlace;
  /** What happens where an offset of a topic that is not compacted has no record. */
  readonly holes: 'refuse' | 'warn';
  /** For pipes; never for data. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
  /** How long what fails in passing is asked again; milliseconds. */
  readonly patienceMs?: number;
}

export const GROUPS_ENTRY = 'groups.json';
export const TOPICS_FOLDER = 'topics';
export const TOPIC_ENTRY = 'topic.json';
export const RECORDS_SUFFIX = '.records';
/** Of the two kinds of JSON that are kept. */
const JSON_VERSION = 1;

/**
 * Topics of a Kafka cluster (S10): records of every partition up to the ends that were seen when the run began, as committed;
 * configurations; offsets of consumer groups of the same moment. Only reads, and joins no group.
 */
export class KafkaSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'kafka';
  readonly description: string;
  readonly #options: KafkaOptions;

  constructor(options: KafkaOptions) {
    this.#options = options;
    const { topics, place } = options;
    const what = topics === 'all' ? 'all topics' : `${topics.length === 1 ? 'topic' : 'topics'} ${topics.join(', ')}`;
    this.description = `${what} at ${clusterName(place)} as ${userName(place)}`;
  }

  /** Connects and asks for everything that a run asks for, and for the first record of each topic: each needs a right of its own. */
  async check(): Promise<void> {
    await this.#withCluster(undefined, async (cluster) => {
      const { topics } = await momentOf(cluster, this.#options);
      for (const { description, partitions } of topics) {
        await fetchBatches(cluster, { topic: description.topic, topicId: description.topicId, partition: 0, offset: partitions[0]?.begin ?? 0 });
      }
    });
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    const cluster = this.#cluster(signal);
    try {
      const moment = await momentOf(cluster, this.#options);
      yield this.#json(GROUPS_ENTRY, { groups: moment.groups }, signal, () => momentProof(moment));
      for (const { description, partitions } of moment.topics) {
        const folder = `${TOPICS_FOLDER}/${description.topic}`;
        yield this.#json(`${folder}/${TOPIC_ENTRY}`, description, signal, () => ({ evidence: [] }));
        for (const [partition, { begin, stableEnd, end }] of partitions.entries()) {
          const range = { topic: description.topic, topicId: description.topicId, partition, begin, end: Math.max(begin, stableEnd), clusterId: moment.clusterId, isCompacted: isCompacted(description) };
          yield this.#partition(`${folder}/${partitionEntry(partition)}`, range, { cluster, signal, open: Math.max(0, end - stableEnd) });
        }
      }
    } finally {
      await cluster.close();
    }
  }

  #json(name: string, value: object, signal: AbortSignal, proof: () => Omit<StreamProof, 'bytes'>): SourceStream {
    const { temporaryFolder, clock } = this.#options;
    const bytes = Buffer.from(`${JSON.stringify({ version: JSON_VERSION, ...value }, null, 2)}\n`);
    return {
      name: fromText(name), attributes: attributesAt(clock.now()), sizeHint: bytes.length,
      open: () => openPumped(once(bytes), { temporaryFolder, signal, what: name, prove: (seen) => ({ bytes: seen, ...proof() }) }),
    };
  }

  #partition(name: string, range: PartitionRange, { cluster, signal, open }: { readonly cluster: KafkaCluster; readonly signal: AbortSignal; readonly open: number }): SourceStream {
    const { temporaryFolder, clock, holes } = this.#options;
    return {
      name: fromText(name), attributes: attributesAt(clock.now()),
      open: () => {
        const read = new PartitionRead(range, { cluster, clock, signal, isRefusingHoles: holes === 'refuse' });
        return openPumped(read.body(), { temporaryFolder, signal, what: `partition ${range.partition} of topic ${range.topic}`, prove: (bytes) => partitionProof(read, range, { bytes, open }) });
      },
    };
  }

  #cluster(signal: AbortSignal | undefined): KafkaCluster {
    const { place, clock, patienceMs } = this.#options;
    return new KafkaCluster(place, { clock, signal, ...(patienceMs !== undefined && { patienceMs }) });
  }

  async #withCluster<T>(signal: AbortSignal | undefined, work: (cluster: KafkaCluster) => Promise<T>): Promise<T> {
    const cluster = this.#cluster(signal);
    try {
      return await work(cluster);
    } finally {
      await cluster.close();
    }
  }
}

/** So that they lie in the order of their numbers. */
export function partitionEntry(partition: number): string {
  return `${String(partition).padStart(6, '0')}${RECORDS_SUFFIX}`;
}

/** As `groups.json` and `topic.json` hold them. */
export interface KeptGroups {
  readonly version: number;
  readonly groups: readonly GroupOffsets[];
}

export type KeptTopic = TopicDescription & { readonly version: number };

function momentProof({ clusterId, topics, groups, warnings }: KafkaMoment): Omit<StreamProof, 'bytes'> {
  const partitions = topics.reduce((sum, topic) => sum + topic.partitions.length, 0);
  return {
    evidence: [`${topics.length} topics with ${partitions} partitions in cluster ${clusterId}`, `committed offsets of ${groups.length} consumer groups, taken before the ends of partitions`],
    facts: { 'kafka-cluster': clusterId, 'kafka-topics': topics.length, 'kafka-partitions': partitions, 'kafka-groups': groups.length },
    warnings,
  };
}

function partitionProof({ counts, firstMissing }: PartitionRead, { topic, partition, begin, end, isCompacted: mayMiss }: PartitionRange, { bytes, open }: { readonly bytes: number; readonly open: number }): StreamProof {
  const { records, markers, aborted, missing, expired } = counts;
  const parts = [`${records} records`, ...(markers > 0 ? [`${markers} markers of transactions`] : []), ...(aborted > 0 ? [`${aborted} of aborted transactions`] : []), ...(missing > 0 ? [`${missing} without a record`] : []), ...(expired > 0 ? [`${expired} deleted meanwhile`] : [])];
  return {
    bytes,
    evidence: [`offsets ${begin} to ${end}: ${parts.join(', ')}; each offset was accounted for`, 'checksums of all batches compared'],
    tables: [{ schema: topic, table: String(partition), rows: records }],
    warnings: [
      ...(expired > 0 ? [`${expired} records of partition ${partition} of topic ${topic} were deleted by the cluster (retention, or DeleteRecords) before they could be read`] : []),
      ...(missing > 0 && !mayMiss ? [`${missing} offsets of partition ${partition} of topic ${topic}, the first ${firstMissing}, have no record although the topic is not compacted`] : []),
      ...(open > 0 ? [`${open} offsets at the end of partition ${partition} of topic ${topic} were behind a transaction that had not ended: they are not kept`] : []),
    ],
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
