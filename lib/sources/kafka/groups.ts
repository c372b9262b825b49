import { listGroupsV4, offsetFetchV7 } from '@platformatic/kafka';
import { tolerant } from './cluster.ts';
import type { KafkaCluster } from './cluster.ts';
import { refuseCode } from './failures.ts';

/** Where the consumers of one group are. */
export interface GroupOffsets {
  readonly group: string;
  readonly offsets: readonly CommittedOffset[];
}

export interface CommittedOffset {
  readonly topic: string;
  readonly partition: number;
  /** Of the next record that the group wants. */
  readonly offset: number;
  /** Text that consumers keep with it. */
  readonly metadata: string;
}

export interface ListedGroup {
  readonly group: string;
  /** `consumer`, `connect`, `share`; empty for one that only keeps offsets. */
  readonly protocol: string;
  /** `Empty`: nobody reads in it now. */
  readonly state: string;
}

/** Of every broker: each knows those that it coordinates. */
export async function listGroups(cluster: KafkaCluster): Promise<readonly ListedGroup[]> {
  const found = new Map<string, ListedGroup>();
  for (const node of cluster.nodes) {
    const answer = await cluster.ask({ to: { node }, api: tolerant(listGroupsV4.api), args: [[], []], doing: 'Listing consumer groups', check: ({ errorCode }) => refuseCode(errorCode) });
    for (const { groupId, protocolType, groupState } of answer.groups) found.set(groupId, { group: groupId, protocol: protocolType, state: groupState });
  }
  return [...found.values()].toSorted((left, right) => (left.group < right.group ? -1 : 1));
}

/** All that a group has committed. */
export async function offsetsOfGroup(cluster: KafkaCluster, group: string): Promise<GroupOffsets> {
  const answer = await cluster.ask({
    to: { group },
    api: tolerant(offsetFetchV7.api),
    args: [[{ groupId: group, topics: null }], false],
    doing: `Asking for the offsets of consumer group ${group}`,
    check: ({ errorCode, topics }) => {
      refuseCode(errorCode, `group ${group}`);
      for (const { name, partitions } of topics) for (const partition of partitions) refuseCode(partition.errorCode, `topic ${name} in group ${group}`);
    },
  });
  const offsets = answer.topics.flatMap(({ name, partitions }) => partitions.map(({ partitionIndex, committedOffset, metadata }) => ({ topic: name, partition: partitionIndex, offset: Number(committedOffset), metadata: metadata ?? '' })));
  return { group, offsets: offsets.filter(({ offset }) => offset >= 0).toSorted((left, right) => (left.topic === right.topic ? left.partition - right.partition : left.topic < right.topic ? -1 : 1)) };
}
