import * as z from 'zod';
import { bucketPlace } from './bucket-words.ts';
import { duration, oneOf, path, secret, strictMap, text, wholeNumber } from './schema-words.ts';

const WRITER_ID_WANTED = 'writer id of 32 hexadecimal digits';
const writerId = z.string({ error: WRITER_ID_WANTED }).regex(/^[0-9a-f]{32}$/, { error: WRITER_ID_WANTED });

const PREFIX_WANTED = 'a prefix such as "backups/web", with no slash at either end';
const KMS_KEY_WANTED = 'the ARN of a KMS key or alias, or "alias/NAME"';
const KEY_ARN_WANTED = 'the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID';

const s3 = strictMap({
  ...bucketPlace,
  prefix: text(PREFIX_WANTED).regex(/^[A-Za-z0-9!_.*'()-]+(\/[A-Za-z0-9!_.*'()-]+)*$/, { error: PREFIX_WANTED }).optional().meta({ description: 'The vault lies below it; without it in the whole bucket.' }),
}, 'a map with "bucket" and, where needed, prefix, endpoint, region, path-style, ca-file');

const objectLock = strictMap({
  mode: oneOf(['governance', 'compliance', 'none']).default('governance'),
  days: wholeNumber(1, 36_500).optional().meta({ description: 'Nothing that is stored can be deleted for so long; 30 when absent.' }),
  'confirm-compliance': text('the name of the vault').optional().meta({ description: 'The name of the vault, typed again: with mode compliance nobody, not the owner of the account either, can delete before the days have passed.' }),
}, 'a map with "mode" (governance, compliance, none) and "days"');

const tiers = strictMap({
  // S3 refuses a transition to Standard-IA before an object is 30 days old; to Glacier Instant Retrieval there is no minimum.
  'warm-after-days': wholeNumber(30, 36_500).default(30).meta({ description: 'Packs of class warm move to Standard-IA after so many days; S3 allows it from 30 on.' }),
  'cold-after-days': wholeNumber(0, 36_500).default(30).meta({ description: 'Packs of class cold move to Glacier Instant Retrieval after so many days.' }),
}, 'a map with "warm-after-days" and "cold-after-days"');

const aws = strictMap({
  'existing-bucket': bucketPlace.bucket.optional().meta({ description: 'A bucket to use instead of making one. Versions, lock and tiers stay as its owner set them.' }),
  'existing-key': text(KEY_ARN_WANTED).regex(/^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key\/[A-Za-z0-9-]+$/, { error: KEY_ARN_WANTED }).optional().meta({ description: 'A KMS key to use instead of making one.' }),
  'object-lock': objectLock.optional(),
  tiers: tiers.optional(),
  'max-concurrent-runs': wholeNumber(1, 100).default(4).meta({ description: 'At most so many backups at once; the others wait.' }),
}, 'a map with existing-bucket, existing-key, object-lock, tiers, max-concurrent-runs; {} takes the defaults');

const coverage = strictMap({
  'within-days': wholeNumber(1, 3650).meta({ description: 'Every stored byte is read again within so many days.' }),
  'max-duration': duration.optional().meta({ description: 'A run takes no longer, for example "20m"; the next one goes on.' }),
}, 'a map with "within-days" and, where wanted, "max-duration"');

/** Which fields go together is judged by `vault-checks.ts`, which can name the field that is too much. */
export const vault = strictMap({
  directory: path.optional().meta({ description: 'The vault is a directory, relative to this file.' }),
  s3: s3.optional().meta({ description: 'The vault is a bucket of AWS S3 or of any store that speaks S3.' }),
  aws: aws.optional().meta({ description: 'The vault is made by `cdk deploy`: bucket, key, lock and tiers. Its plans run in AWS.' }),
  'key-file': path.optional().meta({ description: 'A file with the key; `holdfast init` makes one with mode 0600.' }),
  'passphrase-file': path.optional().meta({ description: 'A file whose first line is the passphrase.' }),
  passphrase: secret.optional().meta({ description: 'Where the passphrase is: ${env:NAME} or ${file:path}.' }),
  'kms-key': text(KMS_KEY_WANTED).regex(/^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key\/[A-Za-z0-9-]+|alias\/[A-Za-z0-9/_-]+)|alias\/[A-Za-z0-9/_-]+)$/, { error: KMS_KEY_WANTED }).optional()
    .meta({ description: 'A key of AWS KMS that wraps the keys of a vault in S3.' }),
  recipients: z.array(path, { error: 'a list of paths' }).optional().meta({ description: 'Files with public halves that `holdfast keys make-recipient` made: the keys of the vault are wrapped for them too, so that a paper opens it.' }),
  coverage: coverage.optional().meta({ description: 'What `holdfast verify` does without options: it reads again what nobody read for longest.' }),
  'trusted-writers': z.array(writerId, { error: `a list of ${WRITER_ID_WANTED}s` }).optional().meta({ description: 'Other machines whose packs backups from here reuse; whoever controls one of them can spoil what is reused.' }),
}, 'a vault: a map with one of "directory", "s3", "aws" and a key');

export type VaultFields = z.output<typeof vault>;
