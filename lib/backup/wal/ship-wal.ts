import { isHoldfastError } from '../../model/errors.ts';
import { WAL_PART_BYTES } from '../../repository/index.ts';
import { segmentNumber, segmentStart } from '../../sources/postgres/wal/lsn.ts';
import type { ArchivedWal, WalSource } from './archive-wal.ts';
import type { SpooledFile, WalSpool } from './spool.ts';

export interface ShipPorts {
  readonly spool: WalSpool;
  /** Fails when the vault is not where it was: the empty folder of a disk that is not mounted must not take WAL. */
  readonly prove: () => Promise<void>;
  readonly archive: (source: WalSource, signal: AbortSignal) => Promise<ArchivedWal>;
  /** Takes away beginnings of segments that something longer stands for. */
  readonly forget: (names: readonly string[]) => Promise<void>;
}

export interface Shipped {
  /** Since this began. */
  readonly archivedFiles: number;
  readonly storedBytes: number;
  /** Up to where WAL is in the vault; undefined while nothing was archived. */
  readonly archivedLsn: bigint | undefined;
}

export interface ShipOptions {
  /** Beginnings of segments that are being written, too. */
  readonly withPartials: boolean;
  /** Where something is still writing: what begins there is not taken away. */
  readonly liveFolder?: string | undefined;
}

interface KeptPartial {
  readonly modifiedAt: number;
  readonly names: readonly string[];
}

const PARTIAL = '.partial';

/** Takes what pg_receivewal has written from the spool into the vault. */
export class WalShipper {
  readonly #ports: ShipPorts;
  /** Path → what of it is in the vault. */
  readonly #partials = new Map<string, KeptPartial>();
  #archivedFiles = 0;
  #storedBytes = 0;
  #archivedLsn: bigint | undefined;
  #mayForget = true;

  constructor(ports: ShipPorts) {
    this.#ports = ports;
  }

  /** Everything that is finished, in order; each file leaves the spool when it is durable in the vault. */
  async ship(signal: AbortSignal, { withPartials, liveFolder }: ShipOptions): Promise<Shipped> {
    const files = (await this.#ports.spool.files()).filter(({ kind }) => withPartials || kind !== 'partial');
    if (files.length > 0) await this.#ports.prove();
    for (const file of files) {
      signal.throwIfAborted();
      if (file.kind !== 'partial') await this.#shipWhole(file, signal);
      else await this.#shipPartial(file, liveFolder, signal);
    }
    return { archivedFiles: this.#archivedFiles, storedBytes: this.#storedBytes, archivedLsn: this.#archivedLsn };
  }

  /** How many finished files are in the spool. */
  async waiting(): Promise<number> {
    return (await this.#ports.spool.files()).filter(({ kind }) => kind !== 'partial').length;
  }

  async #shipWhole(file: SpooledFile, signal: AbortSignal): Promise<void> {
    const archived = await this.#ports.archive(file, signal);
    this.#note(archived);
    await this.#ports.spool.remove(file);
    const partial = this.#partials.get(`${file.path}${PARTIAL}`);
    this.#partials.delete(`${file.path}${PARTIAL}`);
    if (partial !== undefined) await this.#forget(partial.names);
  }

  /** In a folder that nothing writes into any more it is the end of a timeline, or of a server that was left. */
  async #shipPartial(file: SpooledFile, liveFolder: string | undefined, signal: AbortSignal): Promise<void> {
    const before = this.#partials.get(file.path);
    if (before?.modifiedAt !== file.modifiedAt) {
      const archived = await this.#archivePartial(file, signal);
      if (archived === undefined) return;
      this.#note(archived);
      this.#partials.set(file.path, { modifiedAt: file.modifiedAt, names: archived.names });
      if (before !== undefined) await this.#forget(before.names);
    }
    if (liveFolder !== undefined && file.folder !== liveFolder) await this.#ports.spool.remove(file);
  }

  /** Undefined: there is nothing in it yet, or it got its last name meanwhile and goes with the next look. */
  async #archivePartial(file: SpooledFile, signal: AbortSignal): Promise<ArchivedWal | undefined> {
    const { spool, archive } = this.#ports;
    if (await spool.isEmpty(file)) return undefined;
    const archived = async (path: string) => archive({ path, name: `${file.name}${PARTIAL}`, systemId: file.systemId }, signal);
    try {
      return await (file.sizeBytes > WAL_PART_BYTES ? spool.withCopy(file, archived) : archived(file.path));
    } catch (error) {
      if (isHoldfastError(error, 'source-failed') && !(await spool.has(file))) return undefined;
      throw error;
    }
  }

  #note({ kind, name, sizeBytes, segmentBytes, storedBytes }: ArchivedWal): void {
    this.#archivedFiles += 1;
    this.#storedBytes += storedBytes;
    if (kind !== 'segment' && kind !== 'partial') return;
    const end = segmentStart(segmentNumber(name, segmentBytes), segmentBytes) + BigInt(sizeBytes);
    if (this.#archivedLsn === undefined || end > this.#archivedLsn) this.#archivedLsn = end;
  }

  /** Where this may not delete, as in a stack, prune does. */
  async #forget(names: readonly string[]): Promise<void> {
    if (!this.#mayForget) return;
    try {
      await this.#ports.forget(names);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      this.#mayForget = error.retryable;
    }
  }
}
