import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile, DatabaseLoad, DatabaseLoader, LoadRequest } from '../database-loader.ts';
import { GROUPS_ENTRY, RECORDS_SUFFIX, TOPICS_FOLDER, TOPIC_ENTRY } from '../kafka.ts';
import { nameChoice } from './choice.ts';
import { KafkaCluster } from './cluster.ts';
import { listGroups, offsetsOfGroup } from './groups.ts';
import type { GroupOffsets } from './groups.ts';
import { keptGroups, keptTopic } from './kept-json.ts';
import { clusterName, userName } from './place.ts';
import type { KafkaPlace } from './place.ts';
import { createTopic } from './target-topic.ts';
import type { TopicDescription } from './topic-description.ts';
import { finalConfigs } from './topic-configs.ts';
import { loadTopic, missingPartitions } from './topic-load.ts';
import type { TopicOrder } from './topic-load.ts';

export interface KafkaLoaderOptions {
  readonly place: KafkaPlace;
  /** Before the name of each topic; empty: none. */
  readonly prefix: string;
  /** Before the name of each consumer group; empty: none. */
  readonly groupPrefix: string;
  readonly isWithoutGroups: boolean;
  /** Copies of each partition; as many as there were by default, and never more than brokers. */
  readonly replicationFactor?: number;
  /** `retention.ms` and `retention.bytes` stay without limit, so that old records are not deleted again at once. */
  readonly isKeepingAll: boolean;
  readonly clock: Clock;
  readonly patienceMs?: number;
}

const NO_MEMBERS: ReadonlySet<string> = new Set(['Empty', 'Dead', '']);

interface KeptParts {
  readonly description: TopicDescription;
  readonly partitions: readonly ContentFile[];
}

/**
 * Restores topics into a cluster (S10, R1): each into a new one, records first, its configuration last, and then the offsets of
 * consumer groups, translated to those that the records have there. A topic where that fails is taken away again.
 */
export class KafkaLoader implements DatabaseLoader {
  readonly kind = 'kafka';
  readonly description: string;
  readonly #options: KafkaLoaderOptions;
  #states: ReadonlyMap<string, string> | undefined;

  constructor(options: KafkaLoaderOptions) {
    this.#options = options;
    this.description = `cluster at ${clusterName(options.place)} as ${userName(options.place)}`;
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    refuseWishes(wanted);
    this.#states = undefined;
    const kept = await this.#chosen(content, wanted);
    const groups = this.#options.isWithoutGroups ? [] : await groupsIn(content);
    return this.#withCluster(signal, async (cluster) => {
      const loads: DatabaseLoad[] = [];
      for (const parts of kept) loads.push(await this.#planOne(cluster, parts, { content, wanted, groups }));
      return loads;
    });
  }

  async #planOne(cluster: KafkaCluster, { description, partitions }: KeptParts, { content, wanted, groups }: { readonly content: BackupContent; readonly wanted: LoadRequest; readonly groups: readonly GroupOffsets[] }): Promise<DatabaseLoad> {
    const { prefix, groupPrefix, isKeepingAll, place } = this.#options;
    const name = `${prefix}${description.topic}`;
    const { topics: [existing] } = await cluster.topics([name]);
    const order: TopicOrder = {
      name, description, partitions, isKeepingAll, backup: content.backup,
      isReplacing: existing !== undefined,
      now: this.#options.clock.now(),
      replicationFactor: Math.min(this.#options.replicationFactor ?? description.replicationFactor, cluster.brokerCount),
      groups: groups.map(({ group, offsets }) => ({ group: `${groupPrefix}${group}`, offsets: offsets.filter(({ topic }) => topic === description.topic) })).filter(({ offsets }) => offsets.length > 0),
    };
    if (existing !== undefined && wanted.mode !== 'clean') throw new HoldfastError('target-exists', `Topic ${name} is already there at ${clusterName(place)}. Nothing was done.`, { nextStep: 'Restore under another name (`?prefix=restored-` in the URL), or say --clean: then it is deleted first.' });
    if (existing === undefined) await createTopic(cluster, { name, partitions: description.partitions, replicationFactor: order.replicationFactor, configs: finalConfigs(order) }, { isTrial: true });
    for (const { group } of order.groups) await this.#refuseBusy(cluster, group, existing === undefined ? name : undefined);
    const bytes = partitions.reduce((sum, file) => sum + file.bytes, 0);
    return {
      mode: wanted.mode, bytes, entry: `${TOPICS_FOLDER}/${description.topic}`, place: `${name} at ${clusterName(place)}`, into: `${existing === undefined ? 'the new topic' : 'topic'} ${name} at ${clusterName(place)}`,
      description: `topic ${name} at ${clusterName(place)} as ${userName(place)}`,
      archive: { server: 'Kafka', dumpedBy: 'holdfast', database: description.topic },
      client: 'holdfast', server: `Kafka with ${cluster.brokerCount} brokers`,
      existing: { objects: existing === undefined ? 0 : 1, tables: existing === undefined ? [] : [`topic ${name} with ${existing.leaders.length} partitions: it is deleted, and is gone if the restore fails after that`] },
      warnings: this.#warnings(order),
      perform: (options) => this.#withCluster(options.signal, (own) => loadTopic(own, order, options)),
      missingTables: (later) => this.#withCluster(later, (own) => missingPartitions(own, order, content)),
    };
  }

  /**
   * Members would go on from where they are, and commit over it; offsets of a topic of that name that is no longer there would
   * be overwritten. Those of one that is there go with it.
   */
  async #refuseBusy(cluster: KafkaCluster, group: string, topic: string | undefined): Promise<void> {
    this.#states ??= new Map((await listGroups(cluster)).map((listed) => [listed.group, listed.state]));
    const state = this.#states.get(group) ?? 'Dead';
    if (!NO_MEMBERS.has(state)) throw new HoldfastError('busy', `Consumer group ${group} is in use at ${clusterName(this.#options.place)} (${state}), wanted one without members. Nothing was done.`, { nextStep: 'Stop its consumers, restore it under another name (`group-prefix=restored-` in the URL), or without groups (`groups=none`).' });
    if (topic === undefined) return;
    const { offsets } = await offsetsOfGroup(cluster, group);
    if (!offsets.some((committed) => committed.topic === topic)) return;
    throw new HoldfastError('target-exists', `Consumer group ${group} has committed offsets of topic ${topic} at ${clusterName(this.#options.place)} already. Nothing was done.`, { nextStep: 'Restore it under another name (`group-prefix=restored-` in the URL) or without groups (`groups=none`), or delete those offsets (kafka-consumer-groups.sh --delete-offsets).' });
  }

  #warnings({ name, description, replicationFactor }: TopicOrder): string[] {
    const wanted = this.#options.replicationFactor ?? description.replicationFactor;
    return replicationFactor < wanted ? [`topic ${name} gets ${replicationFactor} of ${wanted} replicas: there are no more brokers`] : [];
  }

  async #chosen(content: BackupContent, { tables, entry }: LoadRequest): Promise<readonly KeptParts[]> {
    const patterns = [...(tables ?? []), ...(entry === undefined ? [] : [topicOfEntry(entry)])];
    const isWanted = patterns.length === 0 ? () => true : nameChoice(patterns);
    const files = new Map<string, ContentFile>();
    for await (const file of content.files(TOPICS_FOLDER)) files.set(display(file.path), file);
    const kept: KeptParts[] = [];
    for (const [path, file] of files) {
      const [, topic = '', name] = path.split('/');
      if (name !== TOPIC_ENTRY || !isWanted(topic)) continue;
      const partitions = [...files].filter(([other]) => other.startsWith(`${TOPICS_FOLDER}/${topic}/`) && other.endsWith(RECORDS_SUFFIX)).map(([, one]) => one);
      const description = await keptTopic(file);
      if (partitions.length !== description.partitions) throw new HoldfastError('damaged', `The backup ${content.backup} has ${partitions.length} partitions of topic ${topic}, wanted ${description.partitions}.`, { nextStep: 'Run `holdfast verify --level full`, and restore from another backup.' });
      kept.push({ description, partitions });
    }
    if (kept.length > 0) return kept;
    throw new HoldfastError('not-found', `The backup ${content.backup} has ${patterns.length === 0 ? 'no topic' : `no topic that is called ${patterns.join(', ')}`}.`, { nextStep: `\`holdfast ls ${content.backup} ${TOPICS_FOLDER}\` shows those it has.` });
  }

  async #withCluster<T>(signal: AbortSignal, work: (cluster: KafkaCluster) => Promise<T>): Promise<T> {
    const { place, clock, patienceMs } = this.#options;
    const cluster = new KafkaCluster(place, { clock, signal, ...(patienceMs !== undefined && { patienceMs }) });
    try {
      return await work(cluster);
    } catch (error) {
      throw asTarget(error);
    } finally {
      await cluster.close();
    }
  }
}

/** A cluster that is read and one that is written fail in the same words. */
function asTarget(error: unknown): unknown {
  if (!isHoldfastError(error, 'source-failed')) return error;
  const { message, nextStep, data } = error;
  const code = message.includes('TOPIC_ALREADY_EXISTS') ? 'target-exists' : 'target-failed';
  return new HoldfastError(code, message, { ...(nextStep !== undefined && { nextStep }), data, cause: error });
}

async function groupsIn(content: BackupContent): Promise<readonly GroupOffsets[]> {
  for await (const file of content.files(GROUPS_ENTRY)) return keptGroups(file);
  return [];
}

/** `topics/orders`, or anything below it. */
function topicOfEntry(entry: string): string {
  const [folder, topic] = entry.split('/');
  if (folder === TOPICS_FOLDER && topic !== undefined && topic !== '') return topic;
  throw new HoldfastError('usage', `The entry ${entry} is no topic, wanted ${TOPICS_FOLDER}/NAME.`, { nextStep: 'Name the topic with --table NAME, or leave the entry away: then each topic is restored.' });
}

function refuseWishes({ schemas, jobs = 1, isWithoutOwners }: LoadRequest): void {
  const refused = schemas !== undefined && schemas.length > 0 ? '--schema: name topics with --table' : jobs > 1 ? 'several jobs' : isWithoutOwners === true ? '--no-owner: topics have no owners' : undefined;
  if (refused !== undefined) throw new HoldfastError('usage', `A restore into Kafka does not know ${refused}. Nothing was done.`);
}
