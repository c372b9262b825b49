import { HoldfastError } from '../../model/errors.ts';
import { RdbBytes } from './bytes.ts';
import type { Reading } from './bytes.ts';
import { Crc64 } from './crc64.ts';
import { skipModule, skipValue } from './rdb-values.ts';

export interface RdbKey {
  readonly kind: 'key';
  readonly database: number;
  readonly name: Buffer;
  /** Milliseconds since 1970; absent: never. */
  readonly expiresAt?: bigint;
  /** How the value is written (`RDB_TYPE_*`). */
  readonly type: number;
  /** As DUMP has it between its type and its version; empty where nobody wanted values. */
  readonly value: Buffer;
}

/** The source text of a library. */
export interface RdbFunctions {
  readonly kind: 'functions';
  readonly code: Buffer;
}

export interface RdbSummary {
  readonly version: number;
  /** Of the server that wrote it, as it calls itself: `redis-ver` or `valkey-ver`, `used-mem`, `repl-offset`. */
  readonly facts: ReadonlyMap<string, string>;
  /** By number of the database. */
  readonly keys: ReadonlyMap<number, number>;
  readonly functions: number;
  /** False where the server was told to write none (`rdbchecksum no`). */
  readonly isChecksummed: boolean;
  /** A type of values that is not known here, behind which nothing was counted. */
  readonly unknownType?: number;
}

const OPCODE = { slotImport: 243, slotInfo: 244, functions: 245, moduleAux: 247, idle: 248, frequency: 249, aux: 250, resize: 251, expireMs: 252, expire: 253, select: 254, end: 255 } as const;
const CHECKSUM_BYTES = 8;
const HEAD_BYTES = 9;
/** Checksums came with version 5 (Redis 2.6). */
const OLDEST = 5;
const NO_CHECKSUM = Buffer.alloc(CHECKSUM_BYTES);
const NOTHING = Buffer.alloc(0);

/**
 * Reads an RDB file chunk by chunk, holding as little of it as a number needs, or one key when somebody wants them. Every
 * failure is `damaged`, or `unsupported` for what this version does not know.
 */
export class RdbReader {
  readonly #bytes = new RdbBytes();
  readonly #crc = new Crc64();
  readonly #facts = new Map<string, string>();
  readonly #keys = new Map<number, number>();
  readonly #reading: Reading<void>;
  readonly #onRecord: ((record: RdbKey | RdbFunctions) => void) | undefined;
  readonly #isKeepingValues: boolean;
  /** The last bytes pushed: at the end, the checksum. */
  #last: Buffer = Buffer.alloc(0);
  #total = 0;
  #version = 0;
  #functions = 0;
  #unknownType: number | undefined;
  #isAtEnd = false;
  #lastBody = -1;

  /** Told of everything that can be put into another server; without it nothing is kept in memory. */
  constructor(onRecord?: (record: RdbKey | RdbFunctions) => void, { isKeepingValues = true }: { readonly isKeepingValues?: boolean } = {}) {
    this.#onRecord = onRecord;
    this.#isKeepingValues = isKeepingValues;
    this.#reading = this.#read();
  }

  /** Bytes so far. */
  get total(): number {
    return this.#total;
  }

  /** Zero until the first bytes came. */
  get version(): number {
    return this.#version;
  }

  /** What the server said of itself; whole when the first record came. */
  get facts(): ReadonlyMap<string, string> {
    return this.#facts;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#total += chunk.length;
    this.#sum(chunk);
    if (this.#unknownType !== undefined) return;
    if (this.#isAtEnd) throw new HoldfastError('damaged', `The RDB goes on after its end, at byte ${this.#total - chunk.length}.`);
    this.#bytes.push(chunk);
    if (this.#reading.next().done && !this.#bytes.isEmpty && this.#unknownType === undefined) throw new HoldfastError('damaged', `The RDB goes on after its end, at byte ${this.#bytes.position}.`);
  }

  /** Call when there is no more. Fails when it was cut or its checksum is another one. */
  end(): RdbSummary {
    const isEndSeen = this.#unknownType === undefined ? this.#isAtEnd : this.#lastBody === OPCODE.end;
    if (!isEndSeen) throw new HoldfastError('damaged', `The RDB was cut after ${this.#total} bytes: it has no end.`);
    const isChecksummed = !this.#last.equals(NO_CHECKSUM);
    const computed = this.#crc.digest();
    if (isChecksummed && !computed.equals(this.#last)) throw new HoldfastError('damaged', `The RDB of ${this.#total} bytes has the checksum ${hex(computed)}, and its end says ${hex(this.#last)}.`);
    return { version: this.#version, facts: this.#facts, keys: this.#keys, functions: this.#functions, isChecksummed, ...(this.#unknownType !== undefined && { unknownType: this.#unknownType }) };
  }

  /** All but the last eight bytes, whichever they will be. */
  #sum(chunk: Buffer): void {
    const all = this.#last.length === 0 ? chunk : Buffer.concat([this.#last, chunk]);
    const cut = Math.max(0, all.length - CHECKSUM_BYTES);
    this.#crc.update(all.subarray(0, cut));
    if (cut > 0) this.#lastBody = all[cut - 1]!;
    this.#last = Buffer.from(all.subarray(cut));
  }

  *#read(): Reading<void> {
    yield* this.#readHead();
    const bytes = this.#bytes;
    let [database, expiresAt] = [0, undefined as bigint | undefined];
    for (;;) {
      const what = yield* bytes.byte();
      if (what === OPCODE.end) {
        yield* bytes.skip(CHECKSUM_BYTES);
        this.#isAtEnd = true;
        return;
      }
      if (what === OPCODE.select) database = yield* bytes.length();
      else if (what === OPCODE.expireMs) expiresAt = (yield* bytes.take(8)).readBigInt64LE();
      else if (what === OPCODE.expire) expiresAt = BigInt((yield* bytes.take(4)).readInt32LE()) * 1000n;
      else if (what < OPCODE.slotImport) {
        if (!(yield* this.#readKey(what, database, expiresAt))) return;
        expiresAt = undefined;
      } else yield* this.#readOther(what);
    }
  }

  *#readHead(): Reading<void> {
    const head = (yield* this.#bytes.take(HEAD_BYTES)).toString('latin1');
    const version = /^(?:REDIS0|VALKEY)(\d{3})$/.exec(head)?.[1];
    if (version === undefined) throw new HoldfastError('damaged', `It begins with ${JSON.stringify(head)}, wanted the head of an RDB: REDIS0011 or VALKEY080.`);
    this.#version = Number(version);
    if (this.#version < OLDEST) throw new HoldfastError('unsupported', `The RDB is of version ${this.#version}, wanted ${OLDEST} (Redis 2.6) or newer.`);
  }

  /** False where the type is not known, and so not where the value ends. */
  *#readKey(type: number, database: number, expiresAt: bigint | undefined): Reading<boolean> {
    const bytes = this.#bytes;
    const name = this.#onRecord === undefined ? yield* bytes.skipString() : yield* bytes.string();
    const isKept = name !== undefined && this.#isKeepingValues;
    if (isKept) bytes.keep();
    if (!(yield* skipValue(bytes, type, this.#version))) return this.#unknown(type);
    this.#keys.set(database, (this.#keys.get(database) ?? 0) + 1);
    if (name !== undefined) this.#onRecord?.({ kind: 'key', database, name, type, value: isKept ? bytes.kept() : NOTHING, ...(expiresAt !== undefined && { expiresAt }) });
    return true;
  }

  #unknown(type: number): false {
    if (this.#onRecord !== undefined) throw new HoldfastError('unsupported', `The RDB has a value of type ${type} (RDB version ${this.#version}), which this Holdfast does not know.`, { nextStep: 'Update Holdfast, or restore the RDB file and let a server of the version that wrote it load it.' });
    this.#unknownType = type;
    return false;
  }

  *#readOther(what: number): Reading<void> {
    const bytes = this.#bytes;
    if (what === OPCODE.aux) {
      const name = (yield* bytes.string()).toString();
      this.#facts.set(name, (yield* bytes.string()).toString());
    } else if (what === OPCODE.resize) for (let left = 2; left > 0; left--) yield* bytes.length();
    else if (what === OPCODE.slotInfo) for (let left = 3; left > 0; left--) yield* bytes.length();
    else if (what === OPCODE.idle) yield* bytes.length();
    else if (what === OPCODE.frequency) yield* bytes.skip(1);
    else if (what === OPCODE.functions) {
      const code = yield* bytes.string();
      this.#functions++;
      this.#onRecord?.({ kind: 'functions', code });
    } else if (what === OPCODE.moduleAux) {
      yield* bytes.length();
      yield* skipModule(bytes);
    } else if (what === OPCODE.slotImport) {
      yield* bytes.skipString();
      for (let left = 2 * (yield* bytes.length()); left > 0; left--) yield* bytes.length();
    } else throw new HoldfastError('damaged', `The RDB has the unknown word ${what} at byte ${bytes.position - 1}.`);
  }
}

function hex(bytes: Buffer): string {
  return Buffer.from(bytes).reverse().toString('hex');
}
