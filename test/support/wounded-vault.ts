import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupOutcome } from '../../lib/backup/run-backup.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { Clock } from '../../lib/model/clock.ts';
import { SnapshotReader, decodeBody, isSnapshotFile, names, readRefs, readVerdicts, standingVerdict } from '../../lib/repository/index.ts';
import type { PackRef, Repository } from '../../lib/repository/index.ts';
import type { Store } from '../../lib/stores/store.ts';
import { verify } from '../../lib/validation/verify.ts';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { readContent } from '../../lib/recovery/read-content.ts';
import type { DamagedObject, VerifyLevel } from '../../lib/validation/verify.ts';
import { backUp, testRepository } from './run-backup.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { threadInProcess } from './thread-in-process.ts';

/** Four files fill a pack. */
const PACKS = { frameBytes: 20_000, targetBytes: 60_000, limitBytes: 1 << 20 };
/** Long past, by the run's clock too: a file that was just written is read again next time, and this is not about that. */
const LONG_AGO = new Date('2020-01-01T00:00:00Z');
const LATER: Clock = { ...systemClock, now: () => systemClock.now() + 3_600_000 };

interface Made {
  readonly outcome: BackupOutcome;
  /** SHA-256 of every file, by path. */
  readonly held: ReadonlyMap<string, string>;
}

/** A folder with a few files, backed up again and again by the whole product into a vault that a test damages. */
export class WoundedVault {
  readonly folder = join(temporaryFolder(), 'source');
  readonly backups: Made[] = [];
  readonly repository: Repository;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #contents = new Map<string, string>();

  /** `clock`: by which verification judges; the store's own in tests that move it. */
  constructor(store: Store, clock: Pick<Clock, 'now'> = systemClock) {
    this.repository = testRepository(store);
    this.#clock = clock;
    mkdirSync(this.folder);
  }

  /** Three backups: a to f, of which a to d lie in the first pack; f changed; g added. */
  static async begin(store: Store, clock?: Pick<Clock, 'now'>): Promise<WoundedVault> {
    const vault = new WoundedVault(store, clock);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) vault.write(name);
    await vault.backUp();
    vault.write('f', 'changed');
    await vault.backUp();
    vault.write('g');
    await vault.backUp();
    return vault;
  }

  get store(): Store {
    return this.repository.store;
  }

  /** `blocks` of 32 bytes. */
  write(name: string, salt = '', blocks = 500): void {
    const content = Buffer.concat(Array.from({ length: blocks }, (_, block) => createHash('sha256').update(`${name} ${salt} ${block}`).digest()));
    writeFileSync(join(this.folder, name), content);
    // Another content has another time; the same content has the same again.
    const time = new Date(LONG_AGO.getTime() + salt.length * 1000);
    utimesSync(join(this.folder, name), time, time);
    this.#contents.set(name, createHash('sha256').update(content).digest('hex'));
  }

  remove(name: string): void {
    rmSync(join(this.folder, name));
    this.#contents.delete(name);
  }

  async backUp(repository = this.repository, type: 'full' | 'incremental' = 'incremental'): Promise<BackupOutcome> {
    const outcome = await backUp(repository, this.folder, { type, packSizes: PACKS, compression: { algorithm: 'none', level: 0 }, isKeepingXattrs: false, changeDetection: 'mtime', ports: { clock: LATER, startThread: (settings) => threadInProcess(settings, LATER.now) } });
    this.backups.push({ outcome, held: new Map(this.#contents) });
    return outcome;
  }

  /** Packs of one backup, the largest first: of the first backup that is the one with a to d. */
  async packs(index: number, kind: 'hot' | 'meta'): Promise<PackRef[]> {
    const { packs } = await readRefs(this.repository, this.#manifest(index));
    return packs.filter(({ name }) => name.startsWith(`packs/${kind}/`)).sort((left, right) => right.size - left.size);
  }

  snapshot(index: number): string {
    const { plan, backup } = this.#manifest(index);
    return names.snapshot(plan, backup);
  }

  refs(index: number, revision: number): string {
    const { plan, backup } = this.#manifest(index);
    return names.refs(plan, backup, revision);
  }

  /** What verification calls damaged; these vaults have neither configuration nor key slots. */
  async damage(level: VerifyLevel = 'full'): Promise<DamagedObject[]> {
    const report = await verify(this.repository, { level, clock: this.#clock });
    return report.damage.filter(({ kind }) => kind !== 'config' && kind !== 'key-slot');
  }

  async damagedNames(level: VerifyLevel = 'full'): Promise<string[]> {
    return (await this.damage(level)).map(({ name }) => name);
  }

  /** What counts of each backup, oldest first. */
  async standings(): Promise<(string | undefined)[]> {
    return Promise.all(this.backups.map(async ({ outcome }) => standingVerdict(await readVerdicts(this.repository, outcome.manifest.backup))?.result));
  }

  /** `0:a`, … for everything that reads back as it was backed up; anything that reads otherwise is an error. */
  async readable(repository = this.repository): Promise<string[]> {
    const found: string[] = [];
    for (const [index, { held }] of this.backups.entries()) {
      for await (const [path, digest] of readableFiles(repository, this.snapshot(index))) {
        if (digest !== held.get(path)) throw new Error(`${path} of backup ${index} is not what was backed up`);
        found.push(`${index}:${path}`);
      }
    }
    return found.sort();
  }

  /** What `readable` answers when nothing is lost. */
  everything(): string[] {
    return this.backups.flatMap(({ held }, index) => [...held.keys()].map((path) => `${index}:${path}`)).sort();
  }

  #manifest(index: number): BackupOutcome['manifest'] {
    return (this.backups.at(index) as Made).outcome.manifest;
  }
}

/** Every file that reads without complaint, with the digest of what was read. */
async function* readableFiles(repository: Repository, snapshot: string): AsyncGenerator<[string, string]> {
  const reader = await unlessDamaged(SnapshotReader.open(repository, snapshot));
  if (!reader) return;
  for await (const records of reader.recordBatches('' as ByteString, () => {})) {
    for (const { path, body } of records) {
      const entry = { ...decodeBody(body, path), path };
      if (!isSnapshotFile(entry)) continue;
      const bytes = await unlessDamaged(Array.fromAsync(readContent(reader, entry)));
      if (bytes) yield [path, createHash('sha256').update(Buffer.concat(bytes)).digest('hex')];
    }
  }
}

async function unlessDamaged<T>(reading: Promise<T>): Promise<T | undefined> {
  return reading.catch((error: unknown) => {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  });
}

/** What the store holds is changed: a disk or a hand did that, no part of the product. Undefined: it is gone. */
export async function tamper(store: Store, name: string, change: (bytes: Buffer) => Buffer | undefined): Promise<void> {
  const changed = change(Buffer.from(await store.get(name)));
  await store.remove(name);
  if (changed) await store.put(name, changed);
}

/** One flipped bit; `at` from the end when negative. */
export function flipped(at: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    bytes[at < 0 ? bytes.length + at : at]! ^= 1;
    return bytes;
  };
}

/** The same store, with something that happens before a call reaches it. */
export function watched(store: Store, before: (call: 'put' | 'get' | 'list', name: string) => Promise<void>): Store {
  return {
    description: store.description,
    put: async (name, bytes, options) => (await before('put', name), store.put(name, bytes, options)),
    get: async (name, range) => (await before('get', name), store.get(name, range)),
    async *list(prefix, after) {
      await before('list', prefix);
      yield* store.list(prefix, after);
    },
    stat: (name) => store.stat(name),
    remove: (name) => store.remove(name),
    now: () => store.now(),
  };
}
