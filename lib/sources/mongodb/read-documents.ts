import type { AbstractCursor } from 'mongodb';
import { HoldfastError } from '../../model/errors.ts';
import { checkDocument } from './elements.ts';

/** Documents are gathered to this: the engine takes pieces, and most documents are small. */
const PIECE_BYTES = 256 << 10;

/** Counts what goes through it. */
export interface DocumentCount {
  documents: number;
}

/**
 * The documents of a cursor one behind the other, as they came: the layout of a `.bson` file. Each piece lies in the same
 * memory, but for documents larger than a piece. Ends only when the server said that the cursor has no more.
 */
export async function* documentPieces(cursor: AbstractCursor, count: DocumentCount, onDocument?: (document: Buffer) => void): AsyncGenerator<Uint8Array> {
  const gathered = Buffer.allocUnsafe(PIECE_BYTES);
  let filled = 0;
  while (await cursor.hasNext()) {
    for (const document of cursor.readBufferedDocuments() as unknown as Buffer[]) {
      checkDocument(document);
      onDocument?.(document);
      count.documents++;
      if (filled + document.length > PIECE_BYTES && filled > 0) {
        yield gathered.subarray(0, filled);
        filled = 0;
      }
      if (document.length > PIECE_BYTES) {
        yield document;
        continue;
      }
      gathered.set(document, filled);
      filled += document.length;
    }
  }
  // One that was closed at this end says, too, that there is nothing more.
  if (cursor.killed || cursor.id?.isZero() !== true) throw new HoldfastError('source-failed', 'A cursor was closed before all documents were read.', { nextStep: 'Nothing of this run is kept. Start again.' });
  if (filled > 0) yield gathered.subarray(0, filled);
}
