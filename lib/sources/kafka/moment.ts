import { HoldfastError } from '../../model/errors.ts';
import { isPattern, nameChoice } from './choice.ts';
import type { KafkaCluster, KafkaTopic } from './cluster.ts';
import { listGroups, offsetsOfGroup } from './groups.ts';
import type { GroupOffsets } from './groups.ts';
import { offsetsOf } from './offsets.ts';
import type { PartitionOffsets } from './offsets.ts';
import { clusterName, userName } from './place.ts';
import { describeTopics } from './topic-description.ts';
import type { TopicDescription } from './topic-description.ts';

export interface Wanted {
  /** Names, with `*` and `?` for others, or every one that the user may see, but the cluster's own. */
  readonly topics: readonly string[] | 'all';
  readonly excludeTopics: readonly string[];
  readonly groups: readonly string[] | 'all' | 'none';
}

/** What a backup is of: one moment, to which all of it is read. */
export interface KafkaMoment {
  readonly clusterId: string;
  readonly topics: readonly { readonly description: TopicDescription; readonly partitions: readonly PartitionOffsets[] }[];
  readonly groups: readonly GroupOffsets[];
  /** What is not kept, and why. */
  readonly warnings: readonly string[];
}

/** Topics whose records are the cluster's own; offsets and transactions are not restored as records. */
const OWN_PREFIX = '__';

export async function chosenTopics(cluster: KafkaCluster, { topics: wanted, excludeTopics }: Wanted): Promise<{ readonly clusterId: string; readonly mayDescribe: boolean; readonly topics: readonly KafkaTopic[] }> {
  const isByName = wanted !== 'all' && !wanted.some(isPattern);
  const { clusterId, mayDescribe, topics } = await cluster.topics(isByName ? wanted : 'all');
  const [isWanted, isExcluded] = [wanted === 'all' ? (name: string) => !name.startsWith(OWN_PREFIX) : nameChoice(wanted), nameChoice(excludeTopics)];
  const chosen = topics.filter(({ name, isInternal }) => !isInternal && isWanted(name) && !isExcluded(name)).toSorted((left, right) => (left.name < right.name ? -1 : 1));
  const absent = wanted === 'all' ? [] : wanted.filter((pattern) => !topics.some(({ name }) => nameChoice([pattern])(name)));
  if (absent.length === 0 && chosen.length > 0) return { clusterId, mayDescribe, topics: chosen };
  throw new HoldfastError('source-failed', `The cluster at ${clusterName(cluster.place)} has ${absent.length > 0 ? `no topic ${absent.join(', ')}` : 'no topic to keep'} that ${userName(cluster.place)} may see.`, {
    nextStep: 'Check `topics` and `exclude-topics`, and that the user may Describe and Read the topics. Nothing of this run is kept, so that a backup of nothing never counts as a good one.',
  });
}

/**
 * Offsets of groups first, ends of partitions after them: what a group has read is then always among what is kept. Fails as
 * `source-failed`, `permission`.
 */
export async function momentOf(cluster: KafkaCluster, wanted: Wanted): Promise<KafkaMoment> {
  const { clusterId, mayDescribe, topics } = await chosenTopics(cluster, wanted);
  const descriptions = await describeTopics(cluster, topics);
  const { groups, warnings } = await groupsOf(cluster, wanted, { mayDescribe, topics: new Set(topics.map(({ name }) => name)) });
  const found: KafkaMoment['topics'][number][] = [];
  for (const description of descriptions) {
    const partitions = await Promise.all(Array.from({ length: description.partitions }, (_, partition) => offsetsOf(cluster, description.topic, partition)));
    found.push({ description, partitions });
  }
  return { clusterId, topics: found, groups, warnings };
}

async function groupsOf(cluster: KafkaCluster, { groups: wanted }: Wanted, { mayDescribe, topics }: { readonly mayDescribe: boolean; readonly topics: ReadonlySet<string> }): Promise<Pick<KafkaMoment, 'groups' | 'warnings'>> {
  if (wanted === 'none') return { groups: [], warnings: [] };
  const isAnyUnnamed = wanted === 'all' || wanted.some(isPattern);
  // A cluster leaves groups out of its list that the user may not see, and says nothing.
  if (isAnyUnnamed && !mayDescribe) {
    throw new HoldfastError('permission', `User ${userName(cluster.place)} may not Describe the cluster at ${clusterName(cluster.place)}, which then lists only some consumer groups and does not say so.`, { nextStep: 'Give the user Describe on the cluster, or name the groups in `groups`, or say `groups: none`.' });
  }
  const listed = await listGroups(cluster);
  const isWanted = wanted === 'all' ? () => true : nameChoice(wanted);
  const absent = wanted === 'all' ? [] : wanted.filter((name) => !isPattern(name) && !listed.some(({ group }) => group === name));
  const chosen = listed.filter(({ group }) => isWanted(group));
  const shares = chosen.filter(({ protocol }) => protocol === 'share').map(({ group }) => group);
  const groups: GroupOffsets[] = [];
  for (const { group, protocol } of chosen) {
    if (protocol === 'share') continue;
    const { offsets } = await offsetsOfGroup(cluster, group);
    const kept = offsets.filter(({ topic }) => topics.has(topic));
    if (kept.length > 0) groups.push({ group, offsets: kept });
  }
  return {
    groups,
    warnings: [
      ...(absent.length > 0 ? [`no consumer group is called ${absent.join(', ')}: nothing of it is kept`] : []),
      ...(shares.length > 0 ? [`share groups keep their place in another way, which is not kept: ${shares.join(', ')}`] : []),
    ],
  };
}
