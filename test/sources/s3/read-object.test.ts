import type { ByteString } from '../../../lib/model/byte-string.ts';
import type { Missed, ReadObject, SourceBucket } from '../../../lib/sources/s3/bucket.ts';
import { readObject } from '../../../lib/sources/s3/read-object.ts';

const NOW = 1_767_225_600_000;
const KEY = 'a' as ByteString;
const LISTED = { key: KEY, size: 3, etag: 'e1', modified: NOW - 60_000, storageClass: undefined };

interface Answer extends Partial<ReadObject> {
  /** Tags at the moment that they are asked for. */
  readonly tags?: Readonly<Record<string, string>>;
}

/** A bucket that changes between two calls, which no server does on demand. */
function bucketOf(...answers: readonly (Answer | Missed)[]) {
  const asked: (string | undefined)[] = [];
  let discarded = 0;
  const nth = () => answers[Math.min(asked.length, answers.length) - 1];
  const bucket: SourceBucket = {
    description: 's3://b',
    list: () => { throw new Error('not asked for'); },
    holds: () => { throw new Error('not asked for'); },
    get: async (_key, etag) => {
      asked.push(etag);
      const answer = nth();
      if (answer === undefined || typeof answer === 'string') return answer ?? 'absent';
      return { size: 3, etag: 'e1', versionId: undefined, modified: NOW - 60_000, readAt: NOW, description: {}, tagCount: undefined, isEtagMd5: false, body: (async function* () { yield Buffer.from('abc'); })(), discard: () => discarded++, ...answer };
    },
    tags: async () => (nth() as Answer).tags ?? {},
  };
  return { asked, discarded: () => discarded, read: () => readObject(LISTED, { bucket, isKeepingTags: true, path: KEY, signal: new AbortController().signal }) };
}

describe('reading one object (S7)', () => {
  it('asks for what was listed first, and takes what is there when that is gone', async () => {
    const bucket = bucketOf('changed', { etag: 'e2', size: 9 });
    expect(await bucket.read()).toMatchObject({ size: 9 });
    expect(bucket.asked).toEqual(['e1', undefined]);
  });

  it('reads again when the tags are not as many as the object has: somebody replaced it in between', async () => {
    const bucket = bucketOf({ tagCount: 2, tags: { a: '1' } }, { tagCount: 1, tags: { a: '1' }, etag: 'e2' });
    const opened = await bucket.read();
    expect('extended' in opened && JSON.parse(Buffer.from(opened.extended[0]?.value ?? []).toString())).toMatchObject({ etag: 'e2', tags: { a: '1' } });
    expect([bucket.asked.length, bucket.discarded()]).toEqual([2, 1]);
  });

  it('gives up, and says so, where somebody writes all the time', async () => {
    await expect(bucketOf('changed').read()).rejects.toMatchObject({ code: 'source-failed', message: expect.stringContaining('replaced 5 times') });
  });

  it.each<readonly [Missed, string, string]>([
    ['absent', 'vanished', 'it vanished before it could be read'],
    ['archived', 'unreadable', 'it lies in an archive class and has to be thawed first (InvalidObjectState)'],
  ])('%s: %s', async (missed, kind, reason) => {
    expect(await bucketOf(missed).read()).toMatchObject({ missed: kind, reason });
  });

  it('believes neither listing nor answer when they differ about one ETag', async () => {
    const bucket = bucketOf({ size: 2 });
    await expect(bucket.read()).rejects.toMatchObject({ code: 'source-failed', message: 'a has 2 bytes by the answer to its reading and 3 by the listing, both with the ETag e1.' });
    expect(bucket.discarded()).toBe(1);
  });

  it.each([[2001, false], [1999, true], [-5000, true]])('changed %d ms before it was read, it is read again the next time: %s', async (before, isRacy) => {
    expect(await bucketOf({ modified: NOW - before }).read()).toMatchObject({ isRacy });
  });
});
