import { DeleteObjectCommand, GetBucketVersioningCommand, GetObjectLockConfigurationCommand, HeadObjectCommand, PutObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { createHash } from 'node:crypto';
import { isHoldfastError } from '../../model/errors.ts';
import type { ProbeCheck, ProbeFinding } from '../probe.ts';
import { s3Error } from './s3-error.ts';

export interface S3ProbeTarget {
  readonly client: S3Client;
  readonly bucket: string;
  /** As of the store. */
  readonly prefix: string;
}

type At = (name: string) => { readonly Bucket: string; readonly Key: string };

/** What only a bucket has: checksums, versions, Object Lock. `folder` is where the probe writes. */
export function s3ProbeChecks({ client, bucket, prefix }: S3ProbeTarget, folder: string): readonly ProbeCheck[] {
  const at: At = (name) => ({ Bucket: bucket, Key: [prefix, `${folder}${name}`].filter(Boolean).join('/') });
  return [
    { check: 'refuses bytes that differ from their checksum', run: () => wrongChecksum(client, at) },
    { check: 'keeps versions', run: () => versions(client, bucket) },
    { check: 'locks objects (Object Lock)', run: () => objectLock(client, bucket, at) },
  ];
}

async function wrongChecksum(client: S3Client, at: At): Promise<ProbeFinding> {
  const wrong = createHash('sha256').update('other bytes').digest('base64');
  const refusal = await answerTo(client.send(new PutObjectCommand({ ...at('checksum-wrong'), Body: 'these bytes', IfNoneMatch: '*', ChecksumSHA256: wrong })));
  if (refusal === undefined) {
    return { result: 'warning', seen: 'it took an object with a wrong SHA-256: bytes that change on the way are stored unnoticed', nextStep: 'Verify backups by reading them back: `verification: full` in the policy of each plan.' };
  }
  if (refusal.status !== 400) throw s3Error(refusal.error, 'write an object with a wrong checksum');
  const right = createHash('sha256').update('these bytes').digest('base64');
  await client.send(new PutObjectCommand({ ...at('checksum-right'), Body: 'these bytes', IfNoneMatch: '*', ChecksumSHA256: right })).catch(rethrow('write an object with its checksum'));
  const head = await client.send(new HeadObjectCommand({ ...at('checksum-right'), ChecksumMode: 'ENABLED' })).catch(rethrow('look at an object with its checksum'));
  if (head.ChecksumSHA256 === right) return { result: 'ok', seen: 'a wrong SHA-256 is refused, a right one is kept' };
  return { result: 'ok', seen: 'a wrong SHA-256 is refused; none is kept, so that repeated writes are compared by reading' };
}

async function versions(client: S3Client, bucket: string): Promise<ProbeFinding> {
  const answer = await client.send(new GetBucketVersioningCommand({ Bucket: bucket })).catch(unknown);
  if (answer === undefined) return unread('whether the bucket keeps versions', 's3:GetBucketVersioning');
  return { result: 'ok', seen: answer.Status === 'Enabled' ? 'on: what was removed by mistake can be had back until a lifecycle rule ends it' : 'off: what is removed is gone' };
}

/** An object under the bucket's default retention is written, and its version must not be deletable. */
async function objectLock(client: S3Client, bucket: string, at: At): Promise<ProbeFinding> {
  const answer = await client.send(new GetObjectLockConfigurationCommand({ Bucket: bucket })).catch((error: unknown) => (isWithoutLock(error) ? { ObjectLockConfiguration: undefined } : unknown(error)));
  if (answer === undefined) return unread('whether Object Lock is on', 's3:GetBucketObjectLockConfiguration');
  const { ObjectLockEnabled, Rule } = answer.ObjectLockConfiguration ?? {};
  if (ObjectLockEnabled !== 'Enabled') return { result: 'ok', seen: 'off: whoever may delete in this bucket can delete backups' };
  const { Mode, Days, Years } = Rule?.DefaultRetention ?? {};
  if (Mode === undefined) return { result: 'warning', seen: 'on, without a default retention: nothing is locked by itself', nextStep: 'Set a default retention on the bucket.' };
  return deleteLocked(client, at, `on: ${Mode}, ${Years === undefined ? `${Days} days` : `${Years} years`}`);
}

async function deleteLocked(client: S3Client, at: At, seen: string): Promise<ProbeFinding> {
  const put = await client.send(new PutObjectCommand({ ...at('locked'), Body: 'locked', IfNoneMatch: '*', ChecksumSHA256: createHash('sha256').update('locked').digest('base64') })).catch(rethrow('write an object under the lock'));
  const head = await client.send(new HeadObjectCommand(at('locked'))).catch(rethrow('look at an object under the lock'));
  const until = head.ObjectLockRetainUntilDate;
  if (until === undefined) return { result: 'failed', seen: `${seen}; yet a new object has no retention`, nextStep: 'Do not rely on the lock of this store.' };
  const refusal = await answerTo(client.send(new DeleteObjectCommand({ ...at('locked'), VersionId: put.VersionId })));
  if (refusal === undefined) return { result: 'failed', seen: `${seen}; yet a locked version was deleted`, nextStep: 'Do not rely on the lock of this store.' };
  if (refusal.status !== 403) throw s3Error(refusal.error, 'delete a locked version');
  return { result: 'ok', seen: `${seen}; deleting a locked version was refused. What this probe wrote stays, hidden, until ${until.toISOString().slice(0, 16)}Z` };
}

function isWithoutLock(error: unknown): boolean {
  return ['ObjectLockConfigurationNotFoundError', 'ObjectLockConfigurationNotFound', 'NoSuchObjectLockConfiguration'].includes((error as Error).name);
}

/** Undefined when it was carried out. */
async function answerTo(sent: Promise<unknown>): Promise<{ readonly status: number | undefined; readonly error: unknown } | undefined> {
  return sent.then(() => undefined, (error: unknown) => ({ status: (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode, error }));
}

function rethrow(what: string): (error: unknown) => never {
  return (error) => {
    throw s3Error(error, what);
  };
}

/** Undefined for a setting that may not be read or that the store does not know. */
function unknown(cause: unknown): undefined {
  const error = s3Error(cause, 'read the settings of the bucket');
  if (!isHoldfastError(error, 'permission') && !isHoldfastError(error, 'unsupported')) throw error;
}

function unread(what: string, action: string): ProbeFinding {
  return { result: 'warning', seen: `these credentials may not read ${what}`, nextStep: `Allow ${action}, or look at the settings of the bucket.` };
}
