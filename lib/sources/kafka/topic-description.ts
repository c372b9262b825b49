import { ConfigResourceTypes, describeConfigsV2 } from '@platformatic/kafka';
import { tolerant } from './cluster.ts';
import type { KafkaCluster, KafkaTopic } from './cluster.ts';
import { refuseCode } from './failures.ts';

/** What a topic is beside its records; `topic.json` in a backup. */
export interface TopicDescription {
  readonly topic: string;
  readonly topicId: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  /** What was set for this topic; a restore sets it again. */
  readonly configs: Readonly<Record<string, string>>;
  /** What counted for it, also by default of its cluster; for people. */
  readonly effective: Readonly<Record<string, string>>;
}

const SET_FOR_TOPIC = 1;

/** Fails as `permission` without the right to describe the topic's configuration. */
export async function describeTopics(cluster: KafkaCluster, topics: readonly KafkaTopic[]): Promise<readonly TopicDescription[]> {
  if (topics.length === 0) return [];
  const { results } = await cluster.ask({
    to: 'any',
    api: tolerant(describeConfigsV2.api),
    args: [topics.map(({ name }) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName: name, configurationKeys: null })), false, false],
    doing: 'Asking for the configuration of topics',
    check: (answer) => answer.results.forEach(({ errorCode, errorMessage, resourceName }) => refuseCode(errorCode, `topic ${resourceName}${errorMessage ? `: ${errorMessage}` : ''}`)),
  });
  const configs = new Map(results.map((result) => [result.resourceName, result.configs]));
  return topics.map(({ name, id, leaders, replicas }) => {
    const known = (configs.get(name) ?? []).filter(({ value, isSensitive }) => value !== null && !isSensitive).toSorted((left, right) => (left.name < right.name ? -1 : 1));
    const values = (wanted: typeof known) => Object.fromEntries(wanted.map((config) => [config.name, config.value ?? '']));
    return { topic: name, topicId: id, partitions: leaders.length, replicationFactor: replicas, configs: values(known.filter(({ configSource }) => configSource === SET_FOR_TOPIC)), effective: values(known) };
  });
}

export function isCompacted({ effective }: Pick<TopicDescription, 'effective'>): boolean {
  return (effective['cleanup.policy'] ?? '').split(',').includes('compact');
}
