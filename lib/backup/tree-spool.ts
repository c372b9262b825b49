import type { ByteString } from '../model/byte-string.ts';
import { TreeStreamWriter, readTreeChunk } from '../repository/index.ts';
import type { MergedRecord, TreeWriter } from './tree-builder.ts';

const STEP = { put: 0, keepOfBase: 1, keepOfDelta: 2, remove: 3 } as const;
type Step = (typeof STEP)[keyof typeof STEP];

/**
 * Keeps the records of a part that was read before its turn in the tree comes, as bytes: about what they take in the
 * vault, some 100 to 200 bytes for a file.
 */
export class TreeSpool implements TreeWriter {
  readonly #chunks: Uint8Array[] = [];
  readonly #stream = new TreeStreamWriter(({ bytes }) => this.#chunks.push(bytes));
  readonly #packs = new Set<string>();

  keep({ path, body, inDelta }: MergedRecord): undefined {
    this.#add(inDelta ? STEP.keepOfDelta : STEP.keepOfBase, path, body);
  }

  put(path: ByteString, body: Uint8Array, packs: readonly string[] = []): undefined {
    for (const pack of packs) this.#packs.add(pack);
    this.#add(STEP.put, path, body);
  }

  remove({ path, body }: MergedRecord): undefined {
    this.#add(STEP.remove, path, body);
  }

  /** Hands everything on, in order, and forgets it. */
  async replay(writer: TreeWriter): Promise<void> {
    this.#stream.finish();
    const packs = [...this.#packs];
    for (let chunk = this.#chunks.shift(); chunk; chunk = this.#chunks.shift()) {
      for (const { path, body } of readTreeChunk(chunk, 'records of a part')) {
        const slow = deliver(writer, { path, step: body[0] as Step, body: body.subarray(1), packs });
        if (slow) await slow;
      }
    }
  }

  #add(step: Step, path: ByteString, body: Uint8Array): void {
    this.#stream.add(path, Buffer.concat([Uint8Array.of(step), body]));
  }
}

function deliver(writer: TreeWriter, { path, step, body, packs }: { readonly path: ByteString; readonly step: Step; readonly body: Uint8Array; readonly packs: readonly string[] }): Promise<void> | undefined {
  if (step === STEP.put) return writer.put(path, body, packs);
  const record = { path, body, inDelta: step === STEP.keepOfDelta };
  return step === STEP.remove ? writer.remove(record) : writer.keep(record);
}
