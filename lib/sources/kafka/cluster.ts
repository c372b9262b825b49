import { isNativeError } from 'node:util/types';
import { Connection, apiVersionsV3, findCoordinatorV3, metadataV10 } from '@platformatic/kafka';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import { KafkaRefusal, kafkaFailure, refuseCode } from './failures.ts';
import { addressText, clusterName } from './place.ts';
import type { KafkaAddress, KafkaPlace } from './place.ts';

/** One message of the protocol in one version, as the library has them. */
export interface KafkaApi<A extends unknown[], R> {
  readonly key: number;
  readonly version: number;
  readonly async: (connection: Connection, ...args: A) => Promise<R>;
}

/** Who is asked: whoever answers, the leader of a partition, the coordinator of a group, the controller, or one broker. */
export type Addressee = 'any' | 'controller' | { readonly topic: string; readonly partition: number } | { readonly group: string } | { readonly node: number };

export interface Question<A extends unknown[], R> {
  readonly to: Addressee;
  readonly api: KafkaApi<A, R>;
  readonly args: A;
  /** What is done, for messages: `Listing consumer groups`. */
  readonly doing: string;
  /** Throws a `KafkaRefusal` where the answer is one. */
  readonly check?: (answer: R) => void;
  /** It must not be asked twice: it may have been done although no answer came. */
  readonly isOnce?: boolean;
}

export interface ClusterOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  /** How long what fails in passing is asked again. */
  readonly patienceMs?: number;
}

export interface KafkaTopic {
  readonly name: string;
  readonly id: string;
  readonly isInternal: boolean;
  /** Of each partition, in their order. */
  readonly leaders: readonly number[];
  readonly replicas: number;
}

const PATIENCE_MS = 30_000;
const CONNECT_MS = 10_000;
const REQUEST_MS = 40_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 2000;
/** What a user may do with the cluster, as a bit of what it is told (AclOperation DESCRIBE). */
const MAY_DESCRIBE = 1 << 8;

/**
 * Connections to the brokers of one cluster; whatever fails in passing is asked again: a new leader, a broken connection, a
 * broker that starts. Fails as `source-failed`, `permission`, `unsupported`, `interrupted`. Close it always.
 */
export class KafkaCluster {
  readonly place: KafkaPlace;
  readonly #options: ClusterOptions;
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #leaders = new Map<string, readonly number[]>();
  readonly #coordinators = new Map<string, number>();
  #nodes = new Map<number, KafkaAddress>();
  #controller = -1;
  #turn = 0;
  readonly #onAbort = () => void this.close();

  constructor(place: KafkaPlace, options: ClusterOptions) {
    this.place = place;
    this.#options = options;
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  get brokerCount(): number {
    return this.#nodes.size;
  }

  get nodes(): readonly number[] {
    return [...this.#nodes.keys()];
  }

  async ask<A extends unknown[], R>(question: Question<A, R>): Promise<R> {
    const { clock, patienceMs = PATIENCE_MS } = this.#options;
    const begun = clock.now();
    for (let delay = FIRST_DELAY_MS; ; delay = Math.min(delay * 3, LONGEST_DELAY_MS)) {
      this.#throwIfStopped();
      try {
        return await this.#askOnce(question);
      } catch (error) {
        this.#throwIfStopped();
        if (!isPassing(error, question.isOnce === true) || clock.now() + delay - begun > patienceMs) throw kafkaFailure(error, question.doing, this.place);
        this.#forget(question.to);
        await clock.sleep(delay, this.#options.signal).catch(() => this.#throwIfStopped());
      }
    }
  }

  /** Those of the names that are there, or all that the user may see. The error of any other topic than an absent one is thrown. */
  async topics(names: readonly string[] | 'all'): Promise<{ readonly clusterId: string; readonly mayDescribe: boolean; readonly topics: readonly KafkaTopic[] }> {
    const answer = await this.ask(topicsQuestion(names));
    return { clusterId: answer.clusterId ?? '', mayDescribe: (answer.clusterAuthorizedOperations & MAY_DESCRIBE) !== 0, topics: this.#learn(answer) };
  }

  /** Keeps who leads what, and who they are. */
  #learn(answer: MetadataAnswer): readonly KafkaTopic[] {
    this.#nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    this.#controller = answer.controllerId;
    const topics = answer.topics.filter(({ errorCode }) => errorCode === 0).map(({ name, topicId, isInternal, partitions }) => {
      const ordered = partitions.toSorted((left, right) => left.partitionIndex - right.partitionIndex);
      return { name: name ?? '', id: topicId, isInternal, leaders: ordered.map(({ leaderId }) => leaderId), replicas: Math.max(0, ...ordered.map(({ replicaNodes }) => replicaNodes.length)) };
    });
    for (const { name, leaders } of topics) this.#leaders.set(name, leaders);
    return topics;
  }

  /** Does it again until it is no longer refused in passing: what a cluster was told takes a moment to be known everywhere. */
  async settled(work: () => Promise<void>, patienceMs: number): Promise<void> {
    const { clock, signal } = this.#options;
    const begun = clock.now();
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof KafkaRefusal && error.isPassing) || clock.now() - begun > patienceMs) throw kafkaFailure(error, 'Waiting', this.place);
      }
      await clock.sleep(FIRST_DELAY_MS, signal).catch(() => this.#throwIfStopped());
    }
  }

  /** With connections of its own that no abort ends: for what cleans up. */
  async calm<T>(work: (cluster: KafkaCluster) => Promise<T>): Promise<T> {
    const own = new KafkaCluster(this.place, { ...this.#options, signal: undefined });
    try {
      return await work(own);
    } finally {
      await own.close();
    }
  }

  async close(): Promise<void> {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    await Promise.all(connections.map((connection) => connection.then(end, () => undefined)));
  }

  async #askOnce<A extends unknown[], R>({ to, api, args, check }: Question<A, R>): Promise<R> {
    const connection = await this.#connectionTo(to);
    const answer = await api.async(connection, ...args);
    check?.(answer);
    return answer;
  }

  async #connectionTo(to: Addressee): Promise<Connection> {
    if (to === 'any') return this.#anyConnection();
    const node = await this.#nodeOf(to);
    const address = this.#nodes.get(node);
    if (address === undefined) throw new KafkaRefusal(LEADER_NOT_AVAILABLE, `broker ${node} is not known`);
    return this.#connect(address);
  }

  async #anyConnection(): Promise<Connection> {
    const known = new Map([...this.place.brokers, ...this.#nodes.values()].map((address) => [addressText(address), address]));
    const addresses = [...known.values()];
    return this.#connect(addresses[this.#turn % addresses.length] as KafkaAddress);
  }

  async #nodeOf(to: Exclude<Addressee, 'any'>): Promise<number> {
    if (to === 'controller') {
      if (this.#controller < 0) this.#learn(await this.#askOnce(topicsQuestion([])));
      return this.#controller;
    }
    if ('node' in to) return to.node;
    if ('group' in to) return this.#coordinators.get(to.group) ?? this.#findCoordinator(to.group);
    if (!this.#leaders.has(to.topic)) this.#learn(await this.#askOnce(topicsQuestion([to.topic])));
    const leader = this.#leaders.get(to.topic)?.[to.partition];
    if (leader === undefined) throw new KafkaRefusal(UNKNOWN_TOPIC, `partition ${to.partition} of topic ${to.topic} is not there`);
    return leader;
  }

  async #findCoordinator(group: string): Promise<number> {
    const connection = await this.#anyConnection();
    const { coordinators: [found] } = await tolerant(findCoordinatorV3.api).async(connection, 0, [group]);
    if (found === undefined) throw new KafkaRefusal(COORDINATOR_NOT_AVAILABLE, `no coordinator for group ${group}`);
    refuseCode(found.errorCode, found.errorMessage);
    this.#nodes.set(found.nodeId, { host: found.host, port: found.port });
    this.#coordinators.set(group, found.nodeId);
    return found.nodeId;
  }

  /** One connection to each address, made when it is first needed and again when it broke. */
  async #connect(address: KafkaAddress): Promise<Connection> {
    const key = addressText(address);
    const known = await this.#connections.get(key)?.catch(() => undefined);
    if (known?.isConnected() === true) return known;
    this.#throwIfStopped();
    const connecting = this.#open(address);
    this.#connections.set(key, connecting);
    return connecting;
  }

  async #open({ host, port }: KafkaAddress): Promise<Connection> {
    const { sasl, tls } = this.place;
    const connection = new Connection('holdfast', {
      connectTimeout: CONNECT_MS,
      requestTimeout: REQUEST_MS,
      ...(tls && { tls: { ...(tls.ca !== undefined && { ca: tls.ca }) }, tlsServerName: /^[\d.]+$|:/.test(host) ? false : host }),
      ...(sasl && { sasl: { mechanism: sasl.mechanism, username: sasl.user, password: sasl.password } }),
    });
    // What a connection has to say comes back from those who wait for an answer.
    connection.on('error', () => undefined);
    try {
      await connection.connect(host, port);
      await this.#refuseOld(connection, addressText({ host, port }));
      return connection;
    } catch (error) {
      await end(connection);
      throw error;
    }
  }

  /** A broker that is too old would answer by closing the connection. */
  async #refuseOld(connection: Connection, address: string): Promise<void> {
    const { apiKeys } = await apiVersionsV3.api.async(connection, 'holdfast', '1');
    for (const { name, key, version } of NEEDED) {
      const offered = apiKeys.find(({ apiKey }) => apiKey === key);
      if (offered !== undefined && offered.minVersion <= version && version <= offered.maxVersion) continue;
      throw new HoldfastError('unsupported', `The broker at ${address} knows ${offered === undefined ? `no ${name}` : `${name} of versions ${offered.minVersion} to ${offered.maxVersion}`}, wanted version ${version}.`, { nextStep: 'Kafka 3.1 or newer is wanted.' });
    }
  }

  #forget(to: Addressee): void {
    this.#turn++;
    this.#controller = -1;
    if (typeof to === 'string') return;
    if ('topic' in to) this.#leaders.delete(to.topic);
    if ('group' in to) this.#coordinators.delete(to.group);
  }

  #throwIfStopped(): void {
    const { signal } = this.#options;
    if (signal?.aborted) throw new HoldfastError('interrupted', `What was under way at ${clusterName(this.place)} was stopped.`, { cause: signal.reason });
  }
}

const UNKNOWN_TOPIC = 3;
const LEADER_NOT_AVAILABLE = 5;
const COORDINATOR_NOT_AVAILABLE = 15;

/** The one message whose version decides how old a cluster may be: topics are asked for by their ids, so that one that was deleted and made again is never taken for itself. */
const NEEDED = [{ name: 'Fetch', key: 1, version: 13 }, { name: 'Metadata', key: 3, version: 10 }] as const;

type MetadataAnswer = Awaited<ReturnType<typeof metadataV10.api.async>>;

/** `all`: those that the user may see. One that is absent is left out of what is learned, and any other error is thrown. */
function topicsQuestion(names: readonly string[] | 'all') {
  return {
    to: 'any' as const,
    api: tolerant(metadataV10.api),
    args: [names === 'all' ? null : [...names], false, false, true] as Parameters<typeof metadataV10.createRequest>,
    doing: 'Asking for topics',
    check: ({ topics }: MetadataAnswer) => topics.forEach(({ errorCode, name, partitions }) => {
      if (errorCode !== UNKNOWN_TOPIC) refuseCode(errorCode, `topic ${name}`);
      for (const partition of partitions) if (partition.leaderId < 0) throw new KafkaRefusal(LEADER_NOT_AVAILABLE, `partition ${partition.partitionIndex} of topic ${name} has no leader`);
    }),
  };
}

async function end(connection: Connection): Promise<void> {
  await (connection.close() as Promise<void>).catch(() => undefined);
}

/** Refusals tell themselves; a broken connection always may be made again. */
function isPassing(error: unknown, isOnce: boolean): boolean {
  if (error instanceof HoldfastError) return false;
  if (error instanceof KafkaRefusal) return error.isPassing && !isOnce;
  for (let one: unknown = error; isNativeError(one); one = one.cause) {
    if ((one as { canRetry?: unknown }).canRetry === false) return false;
  }
  return !isOnce;
}

/**
 * The library throws where any part of an answer is an error, with the answer in it; here the caller looks at the parts.
 */
export function tolerant<A extends unknown[], R>({ key, version, async }: KafkaApi<A, R>): KafkaApi<A, R> {
  return {
    key, version,
    async: (connection, ...args) => async(connection, ...args).catch((error: unknown) => {
      const { response } = error as { response?: R };
      if (response === undefined || response === null) throw error;
      return response;
    }),
  };
}
