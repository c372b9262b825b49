import { listOffsetsV5 } from '@platformatic/kafka';
import { tolerant } from './cluster.ts';
import type { KafkaCluster } from './cluster.ts';
import { refuseCode } from './failures.ts';

export interface PartitionOffsets {
  /** The first that is there. */
  readonly begin: number;
  /** Behind the last record of a transaction that ended, and behind the last record. */
  readonly stableEnd: number;
  readonly end: number;
}

const LATEST = -1n;
const EARLIEST = -2n;

/** Of one partition, by its leader, at this moment. */
export async function offsetsOf(cluster: Pick<KafkaCluster, 'ask'>, topic: string, partition: number): Promise<PartitionOffsets> {
  const [begin, stableEnd, end] = await Promise.all([offsetAt(EARLIEST, 0), offsetAt(LATEST, 1), offsetAt(LATEST, 0)]);
  return { begin, stableEnd, end };

  async function offsetAt(timestamp: bigint, isolation: number): Promise<number> {
    const answer = await cluster.ask({
      to: { topic, partition },
      api: tolerant(listOffsetsV5.api),
      args: [-1, isolation, [{ name: topic, partitions: [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }] }]],
      doing: `Asking for the offsets of partition ${partition} of topic ${topic}`,
      check: ({ topics }) => refuseCode(topics[0]?.partitions[0]?.errorCode ?? -1, `topic ${topic}`),
    });
    return Number(answer.topics[0]?.partitions[0]?.offset);
  }
}
