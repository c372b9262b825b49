import { createHash } from 'node:crypto';
import { fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';

/**
 * Names of files as mongodump gives them (mongo-tools, mongodump/prepare.go): the collection as Go's url.QueryEscape writes
 * it; beyond 238 bytes the first 208 of that, `%24` and the SHA-1 of the name, and the name itself stands in the metadata.
 */
const MOST_BYTES = 238;
const KEPT_BYTES = 208;

export function escapedCollection(name: string): string {
  const escaped = queryEscaped(name);
  if (escaped.length <= MOST_BYTES) return escaped;
  return `${escaped.slice(0, KEPT_BYTES)}%24${createHash('sha1').update(name).digest('base64url')}`;
}

/** The collection that the name of a file stands for; undefined when only the metadata knows. */
export function collectionOfFile(stem: string): string | undefined {
  if (stem.length === MOST_BYTES && stem.includes('%24')) return undefined;
  try {
    return decodeURIComponent(stem.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

export function documentsEntry(database: string, collection: string): ByteString {
  return fromText(`${database}/${escapedCollection(collection)}.bson`);
}

export function metadataEntry(database: string, collection: string): ByteString {
  return fromText(`${database}/${escapedCollection(collection)}.metadata.json`);
}

/** Everything but letters, digits and `-_.~` as bytes in hex, a space as `+`. */
function queryEscaped(name: string): string {
  return Array.from(Buffer.from(name, 'utf8'), (byte) => {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9._~-]/.test(character)) return character;
    return character === ' ' ? '+' : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}
