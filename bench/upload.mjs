// The plain way that a team writes first: standard input to one object of S3 in parts, with the same SDK.
// usage: … | node bench/upload.mjs BUCKET KEY
import { CompleteMultipartUploadCommand, CreateMultipartUploadCommand, S3Client, UploadPartCommand } from '@aws-sdk/client-s3';

const PART_BYTES = 16 * 1024 * 1024;
const AT_ONCE = 4;
const [Bucket, Key] = process.argv.slice(2);
const client = new S3Client({ forcePathStyle: process.env.AWS_ENDPOINT_URL !== undefined });
const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: 'SHA256' }));
const parts = [];
const sending = new Set();
let [gathered, size] = [[], 0];

async function send() {
  const Body = Buffer.concat(gathered, size);
  [gathered, size] = [[], 0];
  const PartNumber = parts.push(undefined);
  while (sending.size >= AT_ONCE) await Promise.race(sending);
  const sent = client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body, ChecksumAlgorithm: 'SHA256' })).then(({ ETag, ChecksumSHA256 }) => {
    parts[PartNumber - 1] = { ETag, ChecksumSHA256, PartNumber };
    sending.delete(sent);
  });
  sending.add(sent);
}

for await (const chunk of process.stdin) {
  gathered.push(chunk);
  size += chunk.length;
  if (size >= PART_BYTES) await send();
}
if (size > 0) await send();
await Promise.all(sending);
await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }));
client.destroy();
