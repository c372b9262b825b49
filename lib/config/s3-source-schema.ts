import * as z from 'zod';
import { bucketPlace } from './bucket-words.ts';
import { byteSize, secret, strictMap, text, texts, wholeNumber, yesOrNo } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

/** The objects of a bucket, with every default filled in. */
export interface ResolvedS3Source {
  readonly type: 's3';
  readonly bucket: string;
  /** Of keys, any text; empty: all. */
  readonly prefix: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle: boolean;
  /** PEM file. */
  readonly caFile?: string;
  /** Absent: the chain of the SDK. */
  readonly credentials?: { readonly accessKeyId: SecretReference; readonly secretAccessKey: SecretReference };
  /** Less than this in all fails the run; absent: nothing does. */
  readonly minimumSizeBytes?: number;
  readonly tags: boolean;
  /** Objects that are read at once. */
  readonly parallel: number;
}

const PREFIX_WANTED = 'what the keys begin with, at most 1024 bytes';

export const s3Source = strictMap({
  type: z.literal('s3'),
  ...bucketPlace,
  prefix: text(PREFIX_WANTED).refine((value) => Buffer.byteLength(value) <= 1024, { error: PREFIX_WANTED }).optional().meta({ description: 'Only keys that begin so; "media/" with its slash for a folder. Without it, all.' }),
  include: texts('pattern').optional().meta({ description: 'Only keys that match one of these are kept.' }),
  exclude: texts('pattern').optional().meta({ description: 'Keys that match one of these are left out; wins over include.' }),
  'access-key-id': secret.optional().meta({ description: 'Where the access key is, with `secret-access-key`. Without both: the credentials of the environment, a profile or a role.' }),
  'secret-access-key': secret.optional(),
  'minimum-size': byteSize.optional().meta({ description: 'Less than this in all objects together fails the run.' }),
  tags: yesOrNo().default(true).meta({ description: 'Keep the tags of objects: one more request for each that is new or changed.' }),
  parallel: wholeNumber(1, 256).default(16).meta({ description: 'Objects that are read at once.' }),
}, 'an s3 source').superRefine((fields, context) => {
  if ((fields['access-key-id'] === undefined) !== (fields['secret-access-key'] === undefined)) context.addIssue({ code: 'custom', path: ['access-key-id'], message: 'both `access-key-id` and `secret-access-key`, or neither' });
});

export type S3SourceFields = z.output<typeof s3Source>;
