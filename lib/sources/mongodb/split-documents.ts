import { HoldfastError } from '../../model/errors.ts';

export interface DocumentBatch {
  /** Whole documents, one behind the other. */
  readonly bytes: Buffer;
  readonly documents: number;
}

/** The largest document that a server stores, with what it adds of its own. */
const LARGEST_DOCUMENT = (16 << 20) + (16 << 10);
const SMALLEST_DOCUMENT = 5;
/** Of a batch; a larger document goes alone. */
const BATCH_BYTES = 4 << 20;

/**
 * The documents of a `.bson` file in batches, whatever the pieces are that it comes in; nothing is decoded. `entry`: for
 * messages. Fails as `damaged` where there is no document, and at an end within one, after the batches before.
 */
export async function* documentBatches(pieces: AsyncIterable<Uint8Array>, entry: string, mostDocuments: number): AsyncGenerator<DocumentBatch> {
  let rest: Buffer = Buffer.alloc(0);
  let waiting: Buffer[] = [];
  let waitingBytes = 0;
  for await (const piece of pieces) {
    // Pieces are lent: what is kept of one is copied.
    waiting.push(Buffer.from(piece));
    waitingBytes += piece.length;
    if (rest.length + waitingBytes < Math.max(BATCH_BYTES, rest.length < 4 ? 4 : lengthAt(rest, 0, entry))) continue;
    rest = Buffer.concat([rest, ...waiting]);
    [waiting, waitingBytes] = [[], 0];
    for (let batch = firstBatch(rest, entry, mostDocuments); batch.documents > 0; batch = firstBatch(rest, entry, mostDocuments)) {
      yield batch;
      rest = rest.subarray(batch.bytes.length);
    }
  }
  rest = Buffer.concat([rest, ...waiting]);
  while (rest.length > 0) {
    const batch = firstBatch(rest, entry, mostDocuments);
    if (batch.documents === 0) throw notDocuments(entry, `it ends within a document, ${rest.length} bytes after its beginning`);
    yield batch;
    rest = rest.subarray(batch.bytes.length);
  }
}

function firstBatch(bytes: Buffer, entry: string, mostDocuments: number): DocumentBatch {
  let [end, documents] = [0, 0];
  while (documents < mostDocuments && bytes.length - end >= 4) {
    const length = lengthAt(bytes, end, entry);
    if (end + length > bytes.length || (documents > 0 && end + length > BATCH_BYTES)) break;
    if (bytes[end + length - 1] !== 0) throw notDocuments(entry, `a document of ${length} bytes does not end in a zero byte`);
    end += length;
    documents++;
  }
  return { bytes: bytes.subarray(0, end), documents };
}

function lengthAt(bytes: Buffer, at: number, entry: string): number {
  const length = bytes.readInt32LE(at);
  if (length < SMALLEST_DOCUMENT || length > LARGEST_DOCUMENT) throw notDocuments(entry, `a document says that it has ${length} bytes`);
  return length;
}

function notDocuments(entry: string, why: string): HoldfastError {
  return new HoldfastError('damaged', `${entry} is no list of BSON documents: ${why}.`, { nextStep: 'Run `holdfast verify --level full`.' });
}
