import { FLAG, sha256 } from '../repository/index.ts';
import type { FileBody } from '../repository/index.ts';

const OF_NOTHING = sha256(new Uint8Array(0));

/** SHA-256 of a file's content: stored with the entry, or the id of its only chunk (decision 0005); undefined for what could not be read. */
export function contentDigest(file: Pick<FileBody, 'flags' | 'sha256' | 'refs' | 'size'>): Uint8Array | undefined {
  if (file.flags & FLAG.unreadable) return undefined;
  if (file.sha256) return file.sha256;
  const [only] = file.refs;
  if (file.refs.length === 1 && only && !(file.flags & FLAG.listed)) return only.id;
  return file.size === 0 ? OF_NOTHING : undefined;
}
