import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { newHexId } from '../../model/ids.ts';
import type { PackId } from '../../model/ids.ts';
import { FrameSealer, PACK_SIZES, PackBuilder, names } from '../../repository/index.ts';
import type { CipherName, FinishedPack, PackClass, PackedChunk, Repository, SealedFrame } from '../../repository/index.ts';
import { PackChecker } from '../pack-check.ts';
import type { Wound } from './healing-state.ts';
import { hex } from './needs.ts';
import { kindOf, wholeFrames } from './open-frames.ts';
import type { ProvedFrame } from './open-frames.ts';

/** What a directory takes beside its frames: for each frame, and for each chunk. */
const FRAME_BYTES = 64;
const CHUNK_BYTES = 48;
const COMPRESSION = { algorithm: 'zstd', level: 3 } as const;

type Random = (size: number) => Uint8Array;

/**
 * A new pack with everything that was found of one that is not whole. Frames are taken over byte for byte (format §4);
 * where only some chunks of a frame are wanted, those are sealed anew, so that a pack does not grow by its neighbours.
 * It lies beside the old one, under the same writer and class. Fails as `stale` when what was proved is no longer there.
 */
export async function buildHealedPack(repository: Repository, wound: Wound, random?: Random): Promise<FinishedPack> {
  const gathering = new Gathering(repository, wound, random);
  if (wound.own.size > 0) await gathering.takeFrom(wound.pack.name, wound.pack.size, wound.own);
  const elsewhere = Map.groupBy(wound.found, ([, name]) => name);
  for (const [name, found] of elsewhere) await gathering.takeFrom(name, undefined, new Set(found.map(([id]) => id)));
  gathering.addRebuilt();
  return gathering.finish();
}

class Gathering {
  readonly #repository: Repository;
  readonly #wound: Wound;
  readonly #random: Random | undefined;
  readonly #frames: SealedFrame[] = [];
  readonly #taken = new Set<string>();
  /** All frames of a pack are sealed with one cipher. */
  #cipher: CipherName | undefined;
  #loose: { readonly chunk: PackedChunk; readonly raw: Uint8Array }[] = [];
  #looseBytes = 0;

  constructor(repository: Repository, wound: Wound, random: Random | undefined) {
    this.#repository = repository;
    this.#wound = wound;
    this.#random = random;
  }

  /** `size`: as the pack was written, where it may be longer now. */
  async takeFrom(name: string, size: number | undefined, ids: ReadonlySet<string>): Promise<void> {
    const bytes = await this.#repository.store.get(name).catch((error: unknown) => {
      throw isHoldfastError(error, 'not-found') ? this.#stale(name) : error;
    });
    const isWanted = (chunk: PackedChunk) => ids.has(hex(chunk.id)) && !this.#taken.has(hex(chunk.id));
    for (const proved of wholeFrames(this.#repository, name, { bytes, size: size ?? bytes.length }, ({ chunks }) => chunks.some(isWanted))) this.#take(proved, isWanted);
    if ([...ids].some((id) => !this.#taken.has(id))) throw this.#stale(name);
  }

  #take({ directory, frame, sealed, raw }: ProvedFrame, isWanted: (chunk: PackedChunk) => boolean): void {
    this.#cipher ??= directory.cipher;
    const isOwn = directory.name === this.#wound.pack.name;
    if (directory.cipher === this.#cipher && (isOwn || frame.chunks.every((chunk) => isWanted(chunk) || this.#taken.has(hex(chunk.id))))) {
      // Copied: a view would keep the whole pack in memory.
      this.#frames.push({ parts: [sealed.slice()], info: frame });
      for (const { id } of frame.chunks) this.#taken.add(hex(id));
      return;
    }
    let offset = 0;
    for (const chunk of frame.chunks) {
      if (isWanted(chunk)) this.#addLoose(chunk, raw.slice(offset, offset + chunk.length));
      offset += chunk.length;
    }
  }

  addRebuilt(): void {
    for (const [id, bytes] of this.#wound.rebuilt) this.#addLoose({ id: Buffer.from(id, 'hex'), length: bytes.length }, bytes);
  }

  #addLoose(chunk: PackedChunk, raw: Uint8Array): void {
    this.#taken.add(hex(chunk.id));
    this.#loose.push({ chunk: { id: Uint8Array.from(chunk.id), length: chunk.length }, raw });
    this.#looseBytes += raw.length;
    if (this.#looseBytes >= PACK_SIZES.frameBytes) this.#sealLoose();
  }

  #sealLoose(): void {
    if (this.#loose.length === 0) return;
    const { keys, cipher } = this.#repository;
    const sealer = new FrameSealer(keys, this.#cipher ?? cipher, kindOf(this.#wound.pack.name), COMPRESSION, this.#random);
    const sealed = sealer.seal(Buffer.concat(this.#loose.map(({ raw }) => raw)), this.#loose.map(({ chunk }) => chunk));
    this.#frames.push(sealed);
    this.#loose = [];
    this.#looseBytes = 0;
  }

  finish(): FinishedPack {
    this.#sealLoose();
    const length = this.#frames.reduce((sum, { info }) => sum + info.sealedLength + FRAME_BYTES + info.chunks.length * CHUNK_BYTES, 4096);
    const { keys, cipher } = this.#repository;
    const builder = new PackBuilder(keys, this.#cipher ?? cipher, new Uint8Array(length));
    for (const frame of this.#frames) builder.append(frame);
    const [, packClass, writer] = this.#wound.pack.name.split('/') as [string, PackClass, string];
    const pack = builder.finish(names.pack(packClass, writer, newHexId<PackId>(this.#random)), this.#random);
    const { problems } = new PackChecker(keys).check({ name: pack.name, size: pack.bytes.length, sha256: pack.sha256 }, pack.bytes);
    if (problems.length === 0) return pack;
    throw new HoldfastError('broken-invariant', `The pack that was made to stand for ${this.#wound.pack.name} does not read back: ${problems[0]?.problem}. Nothing was stored.`);
  }

  #stale(name: string): HoldfastError {
    return new HoldfastError('stale', `The pack ${name} held chunks of ${this.#wound.pack.name} a moment ago and does not any more.`, { nextStep: 'Run it again: it looks anew.' });
  }
}
