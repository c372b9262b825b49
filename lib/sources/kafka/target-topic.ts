import { ConfigResourceTypes, IncrementalAlterConfigOperationTypes, createTopicsV7, deleteTopicsV4, incrementalAlterConfigsV1, offsetCommitV8 } from '@platformatic/kafka';
import { tolerant } from './cluster.ts';
import type { KafkaCluster } from './cluster.ts';
import { KafkaRefusal, refuseCode } from './failures.ts';
import type { CommittedOffset } from './groups.ts';

const TIMEOUT_MS = 30_000;
/** The leader of each new partition is known so soon, or never. */
const MADE_WITHIN_MS = 30_000;
/** A group that has no members now. */
const NO_GENERATION = -1;

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** Asks the controller whether it would, or makes it and waits until it can be written to. Fails as a cluster does. */
export async function createTopic(cluster: KafkaCluster, { name, partitions, replicationFactor, configs }: NewTopic, { isTrial }: { readonly isTrial: boolean }): Promise<void> {
  await cluster.ask({
    to: 'controller',
    api: tolerant(createTopicsV7.api),
    args: [[{ name, numPartitions: partitions, replicationFactor, assignments: [], configs: entriesOf(configs) }], TIMEOUT_MS, isTrial],
    doing: `${isTrial ? 'Asking whether topic' : 'Making topic'} ${name}${isTrial ? ' can be made' : ''}`,
    check: ({ topics }) => refuseCode(topics[0]?.errorCode ?? -1, topics[0]?.errorMessage),
    isOnce: !isTrial,
  });
  if (isTrial) return;
  await cluster.settled(async () => {
    const { topics: [made] } = await cluster.topics([name]);
    if (made?.leaders.length !== partitions) throw new KafkaRefusal(LEADER_NOT_AVAILABLE, `topic ${name} is not ready`);
  }, MADE_WITHIN_MS);
}

export async function deleteTopic(cluster: KafkaCluster, name: string): Promise<void> {
  await cluster.ask({ to: 'controller', api: tolerant(deleteTopicsV4.api), args: [[{ name }], TIMEOUT_MS], doing: `Deleting topic ${name}`, check: ({ responses }) => refuseCode(responses[0]?.errorCode ?? -1, responses[0]?.errorMessage) });
  await cluster.settled(async () => {
    const { topics } = await cluster.topics([name]);
    if (topics.length > 0) throw new KafkaRefusal(LEADER_NOT_AVAILABLE, `topic ${name} is still there`);
  }, MADE_WITHIN_MS);
}

/** What is to hold from now on; what is in `before` alone goes back to the default of the cluster. */
export async function setConfigs(cluster: KafkaCluster, topic: string, { configs, before }: { readonly configs: Readonly<Record<string, string>>; readonly before: Readonly<Record<string, string>> }): Promise<void> {
  const { SET, DELETE } = IncrementalAlterConfigOperationTypes;
  const set = Object.entries(configs).map(([name, value]) => ({ name, configOperation: SET, value }));
  const unset = Object.keys(before).filter((name) => configs[name] === undefined).map((name) => ({ name, configOperation: DELETE }));
  if (set.length + unset.length === 0) return;
  await cluster.ask({
    to: 'any',
    api: tolerant(incrementalAlterConfigsV1.api),
    args: [[{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs: [...set, ...unset] }], false],
    doing: `Setting the configuration of topic ${topic}`,
    check: ({ responses }) => responses.forEach(({ errorCode, errorMessage }) => refuseCode(errorCode, errorMessage)),
  });
}

/** Of a group without members; one that has some refuses it (UNKNOWN_MEMBER_ID). */
export async function commitOffsets(cluster: KafkaCluster, group: string, offsets: readonly CommittedOffset[]): Promise<void> {
  const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, ofTopic]) => ({ name, partitions: ofTopic.map(({ partition, offset, metadata }) => ({ partitionIndex: partition, committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: metadata })) }));
  await cluster.ask({
    to: { group },
    api: tolerant(offsetCommitV8.api),
    args: [group, NO_GENERATION, '', null, topics],
    doing: `Committing the offsets of consumer group ${group}`,
    check: (answer) => answer.topics.forEach(({ name, partitions }) => partitions.forEach(({ errorCode }) => refuseCode(errorCode, `topic ${name} in group ${group}`))),
  });
}

const LEADER_NOT_AVAILABLE = 5;

function entriesOf(configs: Readonly<Record<string, string>>): { readonly name: string; readonly value: string }[] {
  return Object.entries(configs).map(([name, value]) => ({ name, value }));
}
