import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import type { S3Client } from '@aws-sdk/client-s3';
import { ODD_KEYS, bucketFor, putAll } from '../sources/s3/desk.ts';
import { makeBucket, s3Client } from '../support/buckets.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

let server: Ministack;
let client: S3Client;
const VARIABLES = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' };
const before = { ...process.env };
beforeAll(async () => {
  // The chain of the SDK reads the environment of the process.
  Object.assign(process.env, VARIABLES);
  server = await startMinistack();
  client = s3Client(server.endpoint);
});
afterAll(async () => {
  process.env = before;
  client?.destroy();
  await server?.stop();
});

it('a bucket is backed up, restored into a directory whatever its keys, and into another bucket (S7, R1)', async () => {
  await makeBucket(client, 'shop-media');
  await makeBucket(client, 'restored');
  await putAll(client, 'shop-media', [...ODD_KEYS.map((Key) => ({ Key })), { Key: 'left/out.tmp' }]);
  const desk = new Desk({ KEY_ID: 'test', SECRET: 'canary-in-a-variable', AWS_REGION: 'eu-central-1', ...VARIABLES }, REAL_WORKERS);
  writeFileSync(desk.path('holdfast.yaml'), `
vaults: { main: { directory: vault, key-file: key } }
plans:
  media:
    source: { type: s3, bucket: shop-media, endpoint: "${server.endpoint}", region: eu-central-1, exclude: ["*.tmp"], access-key-id: "\${env:KEY_ID}", secret-access-key: "\${env:SECRET}" }
`);
  await desk.do('init');
  const [made] = await desk.json<{ type: string; state: string; statistics: { files: number }; evidence: string[] }>('backup', 'media');
  expect(made).toMatchObject({ state: 'completed', statistics: { files: ODD_KEYS.length }, evidence: [`a listing of ${ODD_KEYS.length + 1} keys that ended`] });
  const shown = await desk.do('show', 'latest:media');
  expect(shown).toContain('s3://shop-media');
  expect(shown + JSON.stringify(made)).not.toContain('canary');
  // Every key has a place below the directory, and no place outside of it.
  const names = readdirSync(desk.folder).sort();
  // Where extended attributes cannot be set, headers and tags stay behind, and that is said.
  const intoFolder = await desk.run('restore', 'latest:media', '--to', 'out', '--threads', '1');
  expect([0, 3]).toContain(intoFolder.code);
  if (intoFolder.code === 3) expect(intoFolder.stderr).toMatch(/^warning: Extended attributes .* were not restored/);
  expect(readdirSync(desk.folder).sort()).toEqual([...names, 'out'].sort());
  const files = readdirSync(desk.path('out'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  expect(files).toHaveLength(ODD_KEYS.length);
  expect(files.map((file) => readFileSync(`${file.parentPath}/${file.name}`, 'utf8')).sort()).toEqual([...ODD_KEYS].sort());
  expect(readFileSync(desk.path('out/a/ object'), 'utf8')).toBe('a');
  expect(readFileSync(desk.path('out/a/!/b'), 'utf8')).toBe('a//b');
  // Shown, done, done again.
  const to = `s3://restored/back?endpoint=${server.endpoint}`;
  const planned = await desk.json<{ type: string; action?: string; totals?: { create: { objects: number } } }>('restore', 'latest:media', '--to-bucket', to, '--dry-run');
  expect(planned.at(-1)).toMatchObject({ type: 'restore-plan', totals: { create: { objects: ODD_KEYS.length } } });
  const keys = async () => (await Array.fromAsync(bucketFor(client, 'restored').list('' as never, new AbortController().signal))).length;
  expect(await keys()).toBe(0);
  expect(await desk.do('restore', 'latest:media', '--to-bucket', to)).toMatch(/Restored .* into s3:\/\/restored\/back: 28 objects, .*each was found there as it was sent/);
  expect(await keys()).toBe(ODD_KEYS.length);
  expect(await desk.json('restore', 'latest:media', '--to-bucket', to)).toMatchObject([{ type: 'bucket-restore', written: 0, same: ODD_KEYS.length, outcome: 'done' }]);
  await putAll(client, 'restored', [{ Key: 'back/plain.txt', Body: 'theirs' }]);
  const refused = await desk.run('restore', 'latest:media', '--to-bucket', to);
  expect(refused).toMatchObject({ code: 3, stdout: expect.stringContaining('plain.txt') });
  expect(await desk.run('restore', 'latest:media', '--to-bucket', to, '--delete-extra')).toMatchObject({ code: 2, stderr: expect.stringContaining('--delete-extra means nothing with --to-bucket') });
});
