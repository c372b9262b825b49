import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile, LoadOptions, LoadedDatabase, TableCount } from '../database-loader.ts';
import type { KafkaCluster } from './cluster.ts';
import { KafkaRefusal, kafkaFailure } from './failures.ts';
import { offsetsOfGroup } from './groups.ts';
import type { CommittedOffset, GroupOffsets } from './groups.ts';
import { OffsetTranslation } from './offset-translation.ts';
import { offsetsOf } from './offsets.ts';
import { PartitionProducer } from './producer.ts';
import { readPartition } from './record-format.ts';
import { DoomedRecords } from './doomed-records.ts';
import { WHILE_LOADING, finalConfigs } from './topic-configs.ts';
import { commitOffsets, createTopic, deleteTopic, setConfigs } from './target-topic.ts';
import type { TopicDescription } from './topic-description.ts';

export interface TopicOrder {
  /** Id of the backup, for messages. */
  readonly backup: string;
  /** Of the topic that is made. */
  readonly name: string;
  readonly description: TopicDescription;
  /** In the order of their numbers. */
  readonly partitions: readonly ContentFile[];
  readonly replicationFactor: number;
  /** Under the names that they get, with offsets of the topic as it was. */
  readonly groups: readonly GroupOffsets[];
  /** A topic of that name is there and is deleted. */
  readonly isReplacing: boolean;
  /** Milliseconds since the epoch: what is too old for the topic is told. */
  readonly now: number;
  readonly isKeepingAll: boolean;
}

/** COORDINATOR_LOAD_IN_PROGRESS: a refusal in passing. */
const NOT_YET = 14;
const FORGOTTEN_WITHIN_MS = 30_000;

/** Makes the topic, fills it, looks at it, configures it and commits the offsets of groups. What fails takes it away again. */
export async function loadTopic(cluster: KafkaCluster, order: TopicOrder, options: LoadOptions): Promise<LoadedDatabase> {
  const { name, description, replicationFactor } = order;
  if (order.isReplacing) {
    // What is there is deleted only for a backup that is whole.
    for (const file of order.partitions) for await (const _ of readPartition(file.read(), display(file.path)));
    await deleteTopic(cluster, name);
    await forgotten(cluster, order);
  }
  await createTopic(cluster, { name, partitions: description.partitions, replicationFactor, configs: WHILE_LOADING }, { isTrial: false });
  try {
    return await fill(cluster, order, options);
  } catch (error) {
    throw await withoutTopic(cluster, order, error);
  }
}

async function fill(cluster: KafkaCluster, order: TopicOrder, options: LoadOptions): Promise<LoadedDatabase> {
  const { name, groups } = order;
  const done = { bytes: 0, tables: [] as TableCount[] };
  const doomed = new DoomedRecords(order);
  const translated: { readonly group: string; readonly offset: CommittedOffset }[] = [];
  for (const [partition, file] of order.partitions.entries()) {
    const committed = groups.flatMap(({ group, offsets }) => offsets.filter((offset) => offset.partition === partition).map((offset) => ({ group, offset })));
    const translation = new OffsetTranslation(committed.map(({ offset }) => offset.offset));
    const rows = await fillPartition(cluster, { file, partition, order, translation, doomed, onBytes: (bytes) => options.onBytes?.(done.bytes + bytes) });
    done.bytes += file.bytes;
    done.tables.push({ schema: name, table: String(partition), rows });
    translated.push(...committed.map(({ group, offset }) => ({ group, offset: { ...offset, topic: name, offset: translation.of(offset.offset) } })));
  }
  await refuseOtherEnds(cluster, name, done.tables);
  await setConfigs(cluster, name, { configs: finalConfigs(order), before: WHILE_LOADING });
  for (const [group, offsets] of Map.groupBy(translated, (one) => one.group)) await commitAndLook(cluster, group, offsets.map(({ offset }) => offset));
  return { bytes: done.bytes, tables: done.tables, warnings: doomed.warnings() };
}

/** A cluster takes the offsets of a deleted topic out of groups in its own time, and must not take the new ones. */
async function forgotten(cluster: KafkaCluster, { name, groups }: TopicOrder): Promise<void> {
  await cluster.settled(async () => {
    for (const { group } of groups) {
      const { offsets } = await offsetsOfGroup(cluster, group);
      if (offsets.some(({ topic }) => topic === name)) throw new KafkaRefusal(NOT_YET, `group ${group} still has offsets of the deleted topic ${name}`);
    }
  }, FORGOTTEN_WITHIN_MS);
}

async function commitAndLook(cluster: KafkaCluster, group: string, wanted: readonly CommittedOffset[]): Promise<void> {
  await commitOffsets(cluster, group, wanted);
  const { offsets } = await offsetsOfGroup(cluster, group);
  for (const { topic, partition, offset } of wanted) {
    const found = offsets.find((one) => one.topic === topic && one.partition === partition)?.offset;
    if (found !== offset) throw new HoldfastError('target-failed', `Consumer group ${group} has offset ${found ?? 'none'} of partition ${partition} of topic ${topic} after ${offset} was committed.`, { nextStep: 'Stop its consumers, and restore again.' });
  }
}

interface PartitionFill {
  readonly file: ContentFile;
  readonly partition: number;
  readonly order: TopicOrder;
  readonly translation: OffsetTranslation;
  readonly doomed: DoomedRecords;
  readonly onBytes: (bytes: number) => void;
}

async function fillPartition(cluster: KafkaCluster, { file, partition, order, translation, doomed, onBytes }: PartitionFill): Promise<number> {
  const producer = new PartitionProducer(cluster, order.name, partition);
  for await (const item of readPartition(counted(file.read(), onBytes), display(file.path))) {
    if ('head' in item && (item.head.partition !== partition || item.head.topic !== order.description.topic)) {
      throw new HoldfastError('damaged', `${display(file.path)} of backup ${order.backup} holds partition ${item.head.partition} of topic ${item.head.topic}, wanted partition ${partition} of ${order.description.topic}. Nothing was restored.`, { nextStep: 'Restore from another backup.' });
    }
    if (!('record' in item)) continue;
    translation.pass(item.record.offset, producer.count);
    doomed.look(item.record);
    await producer.add(item.record);
  }
  await producer.flush();
  translation.end(producer.count);
  return producer.count;
}

async function* counted(pieces: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of pieces) {
    yield piece;
    bytes += piece.length;
    onBytes(bytes);
  }
}

/** The cluster's own count: each record that was written has an offset, and no other has. */
async function refuseOtherEnds(cluster: KafkaCluster, topic: string, counts: readonly TableCount[]): Promise<void> {
  for (const { table, rows } of counts) {
    const { begin, end } = await offsetsOf(cluster, topic, Number(table));
    if (begin === 0 && end === rows) continue;
    throw new HoldfastError('target-failed', `Partition ${table} of topic ${topic} has offsets ${begin} to ${end} after ${rows} records were written, wanted 0 to ${rows}.`, { nextStep: 'Stop who writes into topics of that name, and restore again.' });
  }
}

async function withoutTopic(cluster: KafkaCluster, { name, isReplacing }: TopicOrder, error: unknown): Promise<unknown> {
  const failure = kafkaFailure(error, `Restoring topic ${name}`, cluster.place);
  const code = failure.code === 'source-failed' ? 'target-failed' : failure.code;
  const left = await cluster.calm((calm) => deleteTopic(calm, name)).then(() => undefined, (cause: unknown) => (cause as Error).message);
  const now = left === undefined ? `Topic ${name} was taken away again${isReplacing ? '; the one that was there before is gone, as --clean said' : ''}.` : `Topic ${name} could not be taken away again (${left}): it is there and is not whole.`;
  return new HoldfastError(code, `${failure.message} ${now}`, { ...(failure.nextStep !== undefined && { nextStep: failure.nextStep }), data: failure.data, cause: error });
}

/** Looks anew at what was restored (R8): partitions that have less than the backup. */
export async function missingPartitions(cluster: KafkaCluster, { name, partitions }: TopicOrder, content: BackupContent): Promise<string[]> {
  const { topics: [topic] } = await cluster.topics([name]);
  const missing: string[] = [];
  for (const [partition, file] of partitions.entries()) {
    const rows = content.evidenceOf(display(file.path))?.tables?.[0]?.rows;
    const there = topic === undefined || partition >= topic.leaders.length ? undefined : await offsetsOf(cluster, name, partition);
    if (there === undefined || (rows !== undefined && there.end < rows)) missing.push(`${name}.${partition}`);
  }
  return missing;
}
