import { ByteWriter, Chunker, ENTRY, FLAG, encodeFileWithRefs, gearTable } from '../repository/index.ts';
import type { BodySource, OpenBody, SourceBody } from '../sources/source.ts';
import type { PassRun } from './backup-run.ts';
import { ChunkGatherer } from './chunk-gatherer.ts';
import { readBody } from './read-body.ts';
import type { BodyPorts, ReadBody } from './read-body.ts';
import { takeProof, writeStreams } from './stream-pass.ts';
import type { Gathered, ProvedStreams, StreamEntry } from './stream-pass.ts';

/**
 * One pass over a source of bodies: as over streams, but several at once and without descriptors. The first whose producer
 * does not prove that it ended well ends the others and fails the run; nothing is committed.
 */
export class BodyPass {
  readonly #run: PassRun;
  readonly #source: BodySource;
  readonly #ports: BodyPorts;
  readonly #proved: Gathered = { evidence: [], facts: {} };
  readonly #entries: StreamEntry[] = [];
  readonly #underWay = new Set<Promise<void>>();
  readonly #open = new Set<OpenBody>();
  /** Rejected by the first that fails. */
  readonly #failed = Promise.withResolvers<never>();
  #checkpointing: Promise<void> | undefined;

  constructor(run: PassRun, source: BodySource) {
    this.#run = run;
    this.#source = source;
    const { keys, config } = run.session.repository;
    this.#ports = { chunker: new Chunker(gearTable(keys.sealing.chunker), config.chunker.streams), gatherer: new ChunkGatherer(run), meta: run.meta, isAlwaysDigested: true };
    this.#failed.promise.catch(() => undefined);
  }

  async perform(): Promise<ProvedStreams> {
    const { signal } = this.#run;
    const onAbort = () => this.#failed.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    try {
      await this.#readAll();
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    await writeStreams(this.#run, this.#entries);
    return this.#proved;
  }

  async #readAll(): Promise<void> {
    const bodies = this.#source.bodies(this.#run.signal);
    try {
      for (;;) {
        const next = await this.#orFailure(bodies.next());
        if (next.done) break;
        while (this.#underWay.size >= this.#source.parallel) await this.#orFailure(Promise.race(this.#underWay));
        this.#start(next.value);
      }
      await this.#orFailure(Promise.all(this.#underWay));
    } finally {
      // Readers that wait for a silent server return only when theirs is closed.
      await Promise.all([...this.#open].map((opened) => opened.close()));
      await Promise.allSettled(this.#underWay);
      await bodies.return();
    }
  }

  #orFailure<T>(work: Promise<T>): Promise<T> {
    // First: a job that failed has also ended.
    return Promise.race([this.#failed.promise, work]);
  }

  #start(body: SourceBody): void {
    const job = this.#read(body).catch((error: unknown) => this.#failed.reject(error));
    this.#underWay.add(job);
    void job.finally(() => this.#underWay.delete(job));
  }

  async #read(source: SourceBody): Promise<void> {
    const opened = await source.open();
    this.#open.add(opened);
    try {
      const read = await readBody(this.#counted(opened.body), opened.size ?? Infinity, this.#ports);
      takeProof(this.#run, source.name, { proof: await opened.finish({ bytes: read.size }), proved: this.#proved });
      this.#entries.push({ path: source.name, body: recordOf(source, read), packs: read.packs });
    } finally {
      this.#open.delete(opened);
      await opened.close();
    }
  }

  async *#counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const piece of body) {
      this.#run.signal.throwIfAborted();
      yield piece;
      this.#run.counters.bytes += piece.length;
      this.#run.report('storing');
      this.#checkpointing ??= this.#run.checkpointIfDue().finally(() => (this.#checkpointing = undefined));
      await this.#checkpointing;
    }
  }
}

function recordOf({ attributes }: SourceBody, { size, sha256, list }: ReadBody): Uint8Array {
  const writer = new ByteWriter(list.refs.length + 256);
  const flags = FLAG.digest | (list.isListed ? FLAG.listed : 0);
  encodeFileWithRefs({ type: ENTRY.stream, flags, ...attributes, size, ...(sha256 && { sha256 }), ctimeSeconds: 0, ctimeNanoseconds: 0, inode: 0n }, list.count, list.refs, writer);
  return writer.finish();
}
