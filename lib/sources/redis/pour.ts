import type { HoldfastError } from '../../model/errors.ts';
import type { LoadMode } from '../database-loader.ts';
import { loadFailure } from './failures.ts';
import type { RedisLink } from './link.ts';
import { payloadOf } from './payload.ts';
import type { RdbKey } from './rdb.ts';
import { RedisError } from './resp.ts';
import type { Reply } from './resp.ts';
import type { RdbRecord } from './snapshots-in.ts';
import { recordName } from './target.ts';

/** Commands that are under way together, and the bytes of their values; a single value may be larger. */
const BATCH_COMMANDS = 512;
const BATCH_BYTES = 4 << 20;

/** A record with its place in the snapshot. */
export interface Numbered {
  readonly record: RdbRecord;
  readonly nr: number;
}

/** `kept`: something of its name was there and stayed. */
export type OnOutcome = (what: Numbered, outcome: 'written' | 'kept') => void;

interface Sent {
  readonly words: readonly (string | Buffer)[];
  /** Absent: a database was chosen for what follows. */
  readonly what?: Numbered;
}

/** Puts records into a server, several at a time, and tells of each what the server answered. */
export class Pouring {
  readonly #link: RedisLink;
  readonly #mode: LoadMode;
  readonly #onOutcome: OnOutcome;
  #database = 0;
  #batch: Sent[] = [];
  #bytes = 0;
  #isAsking = false;

  constructor(link: RedisLink, mode: LoadMode, onOutcome: OnOutcome) {
    [this.#link, this.#mode, this.#onOutcome] = [link, mode, onOutcome];
  }

  /** Sent, and not answered: when the connection breaks, nobody knows what became of these. */
  get underWay(): readonly string[] {
    return !this.#isAsking ? [] : this.#batch.flatMap(({ what }) => (what === undefined ? [] : [recordName(what.record)]));
  }

  async add(what: Numbered, version: number): Promise<void> {
    const { record } = what;
    if (record.kind === 'key' && record.database !== this.#database) {
      this.#database = record.database;
      this.#batch.push({ words: ['SELECT', String(record.database)] });
    }
    this.#batch.push({ what, words: record.kind === 'key' ? this.#restore(record, version) : ['FUNCTION', 'LOAD', ...(this.#mode === 'clean' ? ['REPLACE'] : []), record.code] });
    this.#bytes += record.kind === 'key' ? record.value.length : record.code.length;
    if (this.#batch.length >= BATCH_COMMANDS || this.#bytes >= BATCH_BYTES) await this.flush();
  }

  /** Waits for the answers, and hears them all before the first that is a failure is thrown. */
  async flush(): Promise<void> {
    this.#isAsking = true;
    const replies = await this.#link.askAll(this.#batch.map(({ words }) => words));
    this.#isAsking = false;
    const batch = this.#batch;
    [this.#batch, this.#bytes] = [[], 0];
    const failures: HoldfastError[] = [];
    for (const [at, sent] of batch.entries()) this.#hear(sent, replies[at] as Reply, failures);
    if (failures[0] !== undefined) throw failures[0];
  }

  /** Without REPLACE the server itself refuses a name that is taken, at the moment of writing. */
  #restore(key: RdbKey, version: number): (string | Buffer)[] {
    const { name, expiresAt } = key;
    return ['RESTORE', name, expiresAt === undefined ? '0' : String(expiresAt), payloadOf(key, version), ...(this.#mode === 'clean' ? ['REPLACE'] : []), ...(expiresAt === undefined ? [] : ['ABSTTL'])];
  }

  #hear({ what }: Sent, reply: Reply, failures: HoldfastError[]): void {
    if (!(reply instanceof RedisError)) {
      if (what !== undefined) this.#onOutcome(what, 'written');
    } else if (what !== undefined && this.#mode === 'keep' && TAKEN.test(reply.words)) this.#onOutcome(what, 'kept');
    else failures.push(loadFailure(reply.words, this.#link.connection, what === undefined ? `database ${this.#database}` : recordName(what.record)));
  }
}

const TAKEN = /^BUSYKEY|Library '.*' already exists/;
