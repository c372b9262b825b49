import { createHash } from 'node:crypto';
import { display, toBytes } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { attributesAt } from '../attributes.ts';
import type { MissedObject, OpenObject } from '../source.ts';
import type { ListedObject, Missed, ReadObject, SourceBucket } from './bucket.ts';
import { attributeOf } from './kept-object.ts';

export interface ReadingPorts {
  readonly bucket: SourceBucket;
  readonly isKeepingTags: boolean;
  /** Of the entry. */
  readonly path: ByteString;
  readonly signal: AbortSignal;
}

/** Whole seconds: an object that gets other headers within the second looks as it did before. */
const RACY_MILLISECONDS = 2000;
/** So often an object may be replaced between its bytes and its tags, before that is told. */
const MAX_ATTEMPTS = 5;

const MISSED: Readonly<Record<Exclude<Missed, 'changed'>, Pick<MissedObject, 'missed' | 'reason'>>> = {
  absent: { missed: 'vanished', reason: 'it vanished before it could be read' },
  archived: { missed: 'unreadable', reason: 'it lies in an archive class and has to be thawed first (InvalidObjectState)' },
};

/** Opens one version of an object with the tags of that version. A newer one than was listed is as good. */
export async function readObject(listed: ListedObject, ports: ReadingPorts): Promise<OpenObject | MissedObject> {
  const { bucket, signal, isKeepingTags } = ports;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    // Most are still what was listed; asking for just that costs nothing and proves it.
    const read = await bucket.get(listed.key, attempt === 1 ? listed.etag : undefined, signal);
    if (read === 'changed') continue;
    if (typeof read === 'string') return { ...MISSED[read], attributes: attributesAt(listed.modified) };
    if (read.etag === listed.etag && read.size !== listed.size) {
      read.discard();
      throw new HoldfastError('source-failed', `${display(listed.key)} has ${read.size} bytes by the answer to its reading and ${listed.size} by the listing, both with the ETag ${read.etag}.`, { nextStep: 'Nothing of this run is kept. Ask whoever runs the store: one of the two is wrong.' });
    }
    const tags = isKeepingTags ? await tagsOf(listed.key, read, ports) : {};
    if (tags !== 'changed') return opened(listed, read, tags, ports);
    read.discard();
  }
  throw new HoldfastError('source-failed', `${display(listed.key)} was replaced ${MAX_ATTEMPTS} times while it was read.`, { nextStep: 'Nothing of this run is kept. Start it when less is written there, or leave that object out with `exclude`.' });
}

async function tagsOf(key: ByteString, read: ReadObject, { bucket, signal }: ReadingPorts): Promise<Readonly<Record<string, string>> | 'changed'> {
  try {
    const tags = await bucket.tags(key, read.versionId, signal);
    if (tags === 'absent') return 'changed';
    return read.tagCount !== undefined && read.tagCount !== Object.keys(tags).length ? 'changed' : tags;
  } catch (error) {
    read.discard();
    throw error;
  }
}

function opened(listed: ListedObject, read: ReadObject, tags: Readonly<Record<string, string>>, { path }: ReadingPorts): OpenObject {
  const { etag, versionId, modified, readAt, description, size } = read;
  const kept = {
    ...(path !== listed.key && { key: toBytes(listed.key).toString('utf8') }),
    etag, ...(versionId !== undefined && { versionId }), modified, ...description,
    ...(Object.keys(tags).length > 0 && { tags }),
  };
  return {
    attributes: attributesAt(modified),
    extended: [attributeOf(kept)],
    size,
    isRacy: modified > readAt - RACY_MILLISECONDS,
    body: read.isEtagMd5 ? proved(listed.key, read) : read.body,
    discard: read.discard,
  };
}

/** The server says which bytes they are: wrong ones never become an entry. */
async function* proved(key: ByteString, { body, etag }: ReadObject): AsyncGenerator<Uint8Array> {
  const digest = createHash('md5');
  for await (const piece of body) {
    digest.update(piece);
    yield piece;
  }
  const seen = digest.digest('hex');
  if (seen === etag) return;
  throw new HoldfastError('source-failed', `The bytes of ${display(key)} have the MD5 ${seen}, its ETag is ${etag}: what arrived is not what is stored.`, { nextStep: 'Nothing of this run is kept; start the backup again. If it fails again, the store or something on the way damages data.' });
}
