import { createHash } from 'node:crypto';
import { Admin, Consumer, Producer } from '@platformatic/kafka';
import type { BackupOutcome } from '../../../lib/backup/run-backup.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { backupContent } from '../../../lib/recovery/backup-content.ts';
import { SnapshotReader, names } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import type { BackupContent, DatabaseLoad, LoadRequest } from '../../../lib/sources/database-loader.ts';
import { KafkaSource, partitionEntry } from '../../../lib/sources/kafka.ts';
import type { KafkaOptions } from '../../../lib/sources/kafka.ts';
import { KafkaLoader } from '../../../lib/sources/kafka/loader.ts';
import type { KafkaLoaderOptions } from '../../../lib/sources/kafka/loader.ts';
import { readPartition } from '../../../lib/sources/kafka/record-format.ts';
import type { PartitionItem } from '../../../lib/sources/kafka/record-format.ts';
import type { StreamProof } from '../../../lib/sources/source.ts';
import type { KafkaServer } from '../../support/servers/kafka.ts';
import { readSome } from '../postgres/dumps.ts';

const bytes = (text: string) => Buffer.from(text, 'latin1');

export function sourceFor(port: number, temporaryFolder: string, changes: Partial<KafkaOptions> = {}): KafkaSource {
  return new KafkaSource({ place: { brokers: [{ host: '127.0.0.1', port }] }, topics: 'all', excludeTopics: [], groups: 'all', holes: 'refuse', temporaryFolder, clock: systemClock, patienceMs: 3000, ...changes });
}

export function loaderFor(port: number, changes: Partial<KafkaLoaderOptions> = {}): KafkaLoader {
  return new KafkaLoader({ place: { brokers: [{ host: '127.0.0.1', port }] }, prefix: '', groupPrefix: '', isWithoutGroups: false, isKeepingAll: false, clock: systemClock, patienceMs: 3000, ...changes });
}

export interface ReadEntry {
  readonly bytes: Buffer;
  readonly proof: StreamProof;
}

/** Every stream, read to its end as the engine does; `before` is called before each is opened. */
export async function readAll(source: KafkaSource, before?: (name: string) => unknown, signal: AbortSignal = new AbortController().signal): Promise<Map<string, ReadEntry>> {
  const entries = new Map<string, ReadEntry>();
  for await (const stream of source.streams(signal)) {
    await before?.(stream.name);
    const opened = await stream.open();
    try {
      const pieces: Buffer[] = [];
      for (;;) {
        const piece = await readSome(opened.fd);
        if (piece.length === 0) break;
        pieces.push(Buffer.from(piece));
      }
      const bytes = Buffer.concat(pieces);
      entries.set(stream.name, { bytes, proof: await opened.finish({ bytes: bytes.length, tail: bytes.subarray(-4096) }) });
    } finally {
      await opened.close();
    }
  }
  return entries;
}

/** What a partition holds, by its own format. */
export async function itemsOf(entries: ReadonlyMap<string, ReadEntry>, topic: string, partition = 0): Promise<PartitionItem[]> {
  const bytes = entries.get(`topics/${topic}/${partitionEntry(partition)}`)?.bytes ?? Buffer.alloc(0);
  return Array.fromAsync(readPartition((async function* () { yield bytes; })(), topic));
}

export async function contentOf(repository: Repository, { manifest }: Pick<BackupOutcome, 'manifest'>): Promise<BackupContent> {
  return backupContent(await SnapshotReader.open(repository, names.snapshot(manifest.plan, manifest.backup)));
}

/** Plans and performs; answers what was done, a load for each topic. */
export async function restored(loader: KafkaLoader, content: BackupContent, wanted: Partial<LoadRequest> = {}): Promise<{ readonly loads: readonly DatabaseLoad[]; readonly rows: Readonly<Record<string, number>>; readonly warnings: readonly string[] }> {
  const { signal } = new AbortController();
  const loads = await loader.plan(content, { mode: 'empty', ...wanted }, signal);
  const done = [];
  for (const load of loads) done.push(await load.perform({ signal }));
  for (const load of loads) expect(await load.missingTables(signal)).toEqual([]);
  return {
    loads, warnings: [...loads.flatMap((load) => load.warnings), ...done.flatMap((one) => one.warnings)],
    rows: Object.fromEntries(done.flatMap(({ tables }) => tables.map(({ schema, table, rows }) => [`${schema}.${table}`, rows]))),
  };
}

export interface SentRecord {
  readonly topic: string;
  readonly partition?: number;
  readonly key?: string | null;
  readonly value: string | null;
  readonly timestamp?: bigint;
  readonly headers?: readonly (readonly [string, string])[];
}

/** Somebody who writes and commits, by the library's own clients; every text is bytes (latin1). */
export class Writer {
  readonly admin: Admin;
  readonly #brokers: string[];
  readonly #producer: Producer<Buffer, Buffer, Buffer, Buffer>;

  constructor({ port }: Pick<KafkaServer, 'port'>) {
    this.#brokers = [`127.0.0.1:${port}`];
    this.admin = new Admin({ clientId: 'test', bootstrapBrokers: this.#brokers });
    this.#producer = new Producer({ clientId: 'test', bootstrapBrokers: this.#brokers, idempotent: true });
  }

  async make(topic: string, partitions = 1, configs: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: Object.entries(configs).map(([name, value]) => ({ name, value })) });
    // The controller answers before the broker has heard of it.
    while (!(await this.admin.listTopics()).includes(topic)) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async remove(...topics: string[]): Promise<void> {
    await this.admin.deleteTopics({ topics });
    for (const topic of topics) while ((await this.admin.listTopics()).includes(topic) || (await this.#isCommitted(topic))) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  /** The offsets of a topic go some time after it. */
  async #isCommitted(topic: string): Promise<boolean> {
    const groups = [...(await this.admin.listGroups()).keys()];
    const offsets = groups.length === 0 ? [] : await this.admin.listConsumerGroupOffsets({ groups });
    return offsets.some(({ topics }) => topics.some(({ name }) => name === topic));
  }

  /** One batch for each record: the library writes wrong timestamps where two of a batch are weeks apart. */
  async send(records: readonly SentRecord[]): Promise<void> {
    for (const record of records) await this.#producer.send({ messages: [messageOf(record)] });
  }

  async sendBatch(records: readonly SentRecord[]): Promise<void> {
    await this.#producer.send({ messages: records.map(messageOf) });
  }

  /** One transaction each, in one producer. */
  async transactions(steps: readonly { readonly records: readonly SentRecord[]; readonly how: 'commit' | 'abort' | 'leave' }[]): Promise<() => Promise<void>> {
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>({ clientId: 'test', bootstrapBrokers: this.#brokers, idempotent: true, transactionalId: `tx-${Math.random()}` });
    let left: (() => Promise<void>) | undefined;
    for (const { records, how } of steps) {
      const transaction = await producer.beginTransaction();
      await transaction.send({ messages: records.map(messageOf) });
      if (how === 'leave') left = async () => transaction.abort();
      else await transaction[how]();
    }
    return async () => {
      await left?.();
      await producer.close();
    };
  }

  async commit(group: string, topic: string, offsets: readonly number[]): Promise<void> {
    await this.admin.alterConsumerGroupOffsets({ groupId: group, topics: [{ name: topic, partitionOffsets: offsets.map((offset, partition) => ({ partition, offset: BigInt(offset) })) }] });
  }

  /** A consumer that is a member of the group until it leaves. */
  member(group: string, topic: string): { readonly joined: Promise<unknown>; leave(): Promise<void> } {
    const consumer = new Consumer({ clientId: 'test', groupId: group, bootstrapBrokers: this.#brokers, autocommit: false });
    const joined = consumer.consume({ topics: [topic], autocommit: false });
    return {
      joined,
      leave: async () => {
        await (await joined).close();
        await consumer.close(true);
      },
    };
  }

  async close(): Promise<void> {
    await this.#producer.close();
    await this.admin.close();
  }
}

function messageOf({ topic, partition = 0, key, value, timestamp, headers = [] }: SentRecord) {
  return {
    topic, partition,
    ...(key !== undefined && key !== null && { key: bytes(key) }),
    value: (value === null ? null : bytes(value)) as Buffer,
    ...(timestamp !== undefined && { timestamp }),
    headers: new Map(headers.map(([name, text]) => [bytes(name), bytes(text)])),
  };
}

/** The first so many records of a topic, read by the vendor's own client: a line for each, in the order of partitions and offsets, without the offsets. */
export async function readByVendor(server: KafkaServer, topic: string, { group, count }: { readonly group?: string; readonly count: number }): Promise<string[]> {
  const printed = ['timestamp', 'key', 'headers', 'partition', 'offset'].flatMap((what) => ['--formatter-property', `print.${what}=true`]);
  const asBytes = ['key', 'value', 'headers'].flatMap((what) => ['--formatter-property', `${what}.deserializer=org.apache.kafka.common.serialization.BytesDeserializer`]);
  const from = group === undefined ? ['--from-beginning'] : ['--group', group];
  const all = await server.tool('org.apache.kafka.tools.consumer.ConsoleConsumer', ['--topic', topic, ...from, '--timeout-ms', '50000', '--max-messages', String(count), '--command-property', 'isolation.level=read_committed', ...printed, ...asBytes]);
  const rows = all.split('\n').filter((line) => /^(CreateTime|LogAppendTime|NoTimestampType):/.test(line)).map((line) => {
    const [, partition, offset] = /\tPartition:(\d+)\tOffset:(\d+)\t/.exec(line) ?? [];
    return { partition: Number(partition), offset: Number(offset), text: short(line.replace(/\tOffset:\d+\t/, '\t')) };
  });
  return rows.toSorted((left, right) => left.partition - right.partition || left.offset - right.offset).map(({ text }) => text);
}

function short(line: string): string {
  return line.length < 300 ? line : `${line.slice(0, 100)} ${line.length} characters, ${createHash('sha256').update(line).digest('hex')}`;
}
