import { Writer, initProducerIdV3, produceV8 } from '@platformatic/kafka';
import type { Connection } from '@platformatic/kafka';
import { HoldfastError } from '../../model/errors.ts';
import { tolerant } from './cluster.ts';
import type { KafkaApi, KafkaCluster } from './cluster.ts';
import { KafkaRefusal, refuseCode } from './failures.ts';
import { encodeBatch } from './record-batch.ts';
import type { KafkaRecord } from './record.ts';

/** Of a batch before compression: below what brokers take by default, and above what makes many small ones. */
const BATCH_BYTES = 900 << 10;
const BATCH_RECORDS = 10_000;
const TIMEOUT_MS = 30_000;
const DUPLICATE_SEQUENCE = 46;
const ALL_REPLICAS = -1;

/**
 * Writes records into one empty partition, in their order and each once: the brokers know the numbers of batches, so that one
 * that is sent again because no answer came is not written twice. The first record gets offset 0, and no offset is left out.
 */
export class PartitionProducer {
  readonly #cluster: KafkaCluster;
  readonly #topic: string;
  readonly #partition: number;
  #identity: { readonly producerId: bigint; readonly producerEpoch: number } | undefined;
  #waiting: KafkaRecord[] = [];
  #waitingBytes = 0;
  #written = 0;

  constructor(cluster: KafkaCluster, topic: string, partition: number) {
    [this.#cluster, this.#topic, this.#partition] = [cluster, topic, partition];
  }

  /** Records that were given so far: the offset that the next one gets. */
  get count(): number {
    return this.#written + this.#waiting.length;
  }

  /** Fails as `target-failed`, `permission`, `interrupted`. */
  async add(record: KafkaRecord): Promise<void> {
    const bytes = (record.key?.length ?? 0) + (record.value?.length ?? 0) + record.headers.reduce((sum, { name, value }) => sum + name.length + (value?.length ?? 0) + 10, 30);
    const isFull = this.#waitingBytes + bytes > BATCH_BYTES || this.#waiting.length >= BATCH_RECORDS || this.#waiting[0]?.codec !== record.codec;
    if (this.#waiting.length > 0 && isFull) await this.flush();
    this.#waiting.push(record);
    this.#waitingBytes += bytes;
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    this.#identity ??= await this.#introduce();
    const batch = encodeBatch(this.#waiting, { ...this.#identity, sequence: this.#written });
    await this.#send(batch);
    this.#written += this.#waiting.length;
    [this.#waiting, this.#waitingBytes] = [[], 0];
  }

  async #introduce() {
    const { producerId, producerEpoch } = await this.#cluster.ask({ to: 'any', api: tolerant(initProducerIdV3.api), args: [null, TIMEOUT_MS, -1n, -1], doing: 'Asking for the number of a producer', check: ({ errorCode }) => refuseCode(errorCode) });
    return { producerId, producerEpoch };
  }

  async #send(batch: Buffer): Promise<void> {
    const [topic, partition, expected] = [this.#topic, this.#partition, this.#written];
    const { errorCode, baseOffset } = await this.#cluster.ask({
      to: { topic, partition },
      api: RAW_PRODUCE,
      args: [{ topic, partition, batch }],
      doing: `Writing partition ${partition} of topic ${topic}`,
      check: (answer) => {
        if (answer.errorCode !== DUPLICATE_SEQUENCE) refuseCode(answer.errorCode, answer.said ?? `topic ${topic}`);
      },
    });
    if (errorCode === DUPLICATE_SEQUENCE || baseOffset === BigInt(expected)) return;
    throw new HoldfastError('target-failed', `The first of the records that were written to partition ${partition} of topic ${topic} got offset ${baseOffset}, wanted ${expected}: somebody else writes there.`, { nextStep: 'Stop who writes into topics of that name, and restore again.' });
  }
}

interface RawProduced {
  readonly errorCode: number;
  readonly said: string | null;
  readonly baseOffset: bigint;
}

/** The library's own request makes batches of its own, with numbers of 64 bits that are wrong (decision record 0034). */
const RAW_PRODUCE: KafkaApi<[{ readonly topic: string; readonly partition: number; readonly batch: Buffer }], RawProduced> = {
  key: produceV8.api.key,
  version: produceV8.api.version,
  async: (connection: Connection, { topic, partition, batch }) => new Promise((resolve, reject) => {
    const request = () => Writer.create().appendString(null, false).appendInt16(ALL_REPLICAS).appendInt32(TIMEOUT_MS)
      .appendArray([topic], (topics, name) => {
        topics.appendString(name, false).appendArray([partition], (partitions, index) => {
          partitions.appendInt32(index).appendBytes(batch, false);
        }, false, false);
      }, false, false);
    connection.send(produceV8.api.key, produceV8.api.version, request, produceV8.parseResponse, false, false, (error, answer) => {
      const [written] = (answer ?? (error as { response?: typeof answer } | null)?.response)?.responses[0]?.partitionResponses ?? [];
      if (written !== undefined) resolve({ errorCode: written.errorCode, said: written.errorMessage ?? written.recordErrors[0]?.batchIndexErrorMessage ?? null, baseOffset: written.baseOffset });
      else reject(error ?? new KafkaRefusal(-1));
    });
  }),
};
