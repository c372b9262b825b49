import { deflateRawSync } from 'node:zlib';
import { GetObjectCommand, GetObjectRetentionCommand, HeadObjectCommand, S3Client, paginateListObjectsV2 } from '@aws-sdk/client-s3';
import type { HeadObjectCommandOutput } from '@aws-sdk/client-s3';
import type { Emulator } from '../support/aws-rig/emulator.ts';

export interface Stored {
  readonly key: string;
  readonly body: Buffer;
  readonly head: HeadObjectCommandOutput;
  readonly retention: { readonly mode: string | undefined; readonly until: Date | undefined };
}

/** Everything that lies in a bucket, with what S3 says of each object. */
export async function everythingIn(bucket: string, emulator: Emulator): Promise<Stored[]> {
  const s3 = new S3Client({ ...emulator.client, forcePathStyle: true });
  const keys: string[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket })) keys.push(...(page.Contents ?? []).map(({ Key }) => Key as string));
  return Promise.all(keys.map(async (key) => {
    const at = { Bucket: bucket, Key: key };
    const [head, got, { Retention }] = [await s3.send(new HeadObjectCommand(at)), await s3.send(new GetObjectCommand(at)), await s3.send(new GetObjectRetentionCommand(at))];
    return { key, head, body: Buffer.from((await got.Body?.transformToByteArray()) ?? []), retention: { mode: Retention?.Mode, until: Retention?.RetainUntilDate } };
  }));
}

/** What is left of bytes after compression: about 1 for what is encrypted. */
export function incompressibility(body: Buffer): number {
  return deflateRawSync(body).length / body.length;
}
