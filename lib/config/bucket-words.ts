import { path, text, yesOrNo } from './schema-words.ts';

const BUCKET_WANTED = 'the name of a bucket: 3 to 63 lower-case letters, digits, "." and "-"';
const ENDPOINT_WANTED = 'an address without path, such as "https://s3.example.com:9000"';

/** How a bucket is reached: of vaults and of sources. */
export const bucketPlace = {
  bucket: text(BUCKET_WANTED).regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: BUCKET_WANTED }),
  endpoint: text(ENDPOINT_WANTED).regex(/^https?:\/\/[^\s/@?#]+\/?$/, { error: ENDPOINT_WANTED }).optional().meta({ description: 'A store that is not AWS.' }),
  region: text('the name of a region').regex(/^[a-z0-9-]+$/, { error: 'the name of a region' }).optional(),
  'path-style': yesOrNo().optional().meta({ description: 'The name of the bucket stands in the path; when absent, true with an endpoint.' }),
  'ca-file': path.optional().meta({ description: 'PEM file of the authority that signed the certificate of the endpoint.' }),
} as const;
