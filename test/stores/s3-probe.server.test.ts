import { PutObjectLockConfigurationCommand, type S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../lib/model/clock.ts';
import { probeStore, type ProbeRow } from '../../lib/stores/probe.ts';
import { s3ProbeChecks } from '../../lib/stores/s3/probe-s3.ts';
import { openS3Store } from '../../lib/stores/s3-store.ts';
import { names } from '../contract/store.ts';
import { makeBucket, s3Client } from '../support/buckets.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../support/servers/fault-proxy.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMoto } from '../support/servers/moto.ts';

let server: Ministack;
let moto: Ministack;
let proxy: FaultProxy;
let client: S3Client;
beforeAll(async () => {
  [server, moto] = await Promise.all([startMinistack(), startMoto()]);
  proxy = await startFaultProxy(server.endpoint);
  client = s3Client(proxy.endpoint);
});
beforeEach(() => proxy.script([]));
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await Promise.all([server?.stop(), moto?.stop()]);
});

async function probe(bucket: string, through: S3Client = client): Promise<readonly ProbeRow[]> {
  const store = openS3Store({ client: through, bucket, prefix: 'vault', clock: systemClock, random: Math.random, pageSize: 5 });
  const rows = await probeStore(store, { clock: systemClock, more: (folder) => s3ProbeChecks({ client: through, bucket, prefix: 'vault' }, folder) });
  if (rows.every(({ result }) => result !== 'failed')) expect(await names(store, '')).toEqual([]);
  return rows;
}
const not = (result: ProbeRow['result'], rows: readonly ProbeRow[]) => rows.filter((row) => row.result !== result).map((row) => [row.check, row.result]);
const seenOf = (rows: readonly ProbeRow[], check: string) => rows.find((row) => row.check.startsWith(check))?.seen;

describe('the probe of a bucket', () => {
  it('finds a plain bucket fit, and says that it is neither versioned nor locked', async () => {
    const rows = await probe(await makeBucket(client, 'plain'));
    expect(not('ok', rows)).toEqual([]);
    expect(rows).toHaveLength(10);
    expect(seenOf(rows, 'refuses bytes')).toBe('a wrong SHA-256 is refused, a right one is kept');
    expect(seenOf(rows, 'keeps versions')).toContain('off');
    expect(seenOf(rows, 'locks objects')).toContain('off');
  });

  it('proves the lock of a bucket by trying to delete a locked version, and says until when its objects stay (K7)', async () => {
    const bucket = await makeBucket(client, 'locked', { ObjectLockEnabledForBucket: true });
    await client.send(new PutObjectLockConfigurationCommand({ Bucket: bucket, ObjectLockConfiguration: { ObjectLockEnabled: 'Enabled', Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 30 } } } }));
    const rows = await probe(bucket);
    expect(not('ok', rows)).toEqual([]);
    expect(seenOf(rows, 'keeps versions')).toContain('on');
    const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
    expect(seenOf(rows, 'locks objects')).toMatch(new RegExp(`^on: COMPLIANCE, 30 days; deleting a locked version was refused.*until ${until}`));
  });

  it('warns of a lock without a default retention: nothing is locked by itself', async () => {
    const rows = await probe(await makeBucket(client, 'unlocked-lock', { ObjectLockEnabledForBucket: true }));
    expect(not('ok', rows)).toEqual([['locks objects (Object Lock)', 'warning']]);
  });

  it('reports a store whose lock is a label: the version is gone', async () => {
    proxy.script([{ effect: { kind: 'answer', status: 204 }, method: 'DELETE', path: /versionId/ }]);
    expect(not('ok', await probe('locked'))).toEqual([['locks objects (Object Lock)', 'failed']]);
  });

  it('reports a store that does not know conditional writes: it overwrites, and everybody wins the race', async () => {
    proxy.script([{ effect: { kind: 'ignored-header', header: 'if-none-match' }, method: 'PUT' }]);
    const rows = await probe('plain');
    expect(not('ok', rows)).toEqual([['writes a name once', 'failed'], ['lets one of many racing writers win', 'failed']]);
    expect(seenOf(rows, 'lets one')).toContain('16 of 16 writers');
  });

  it('warns of a store that does not check what it is sent', async () => {
    const other = s3Client(moto.endpoint);
    const rows = await probe(await makeBucket(other, 'unchecked'), other);
    other.destroy();
    expect(not('ok', rows)).toEqual([['refuses bytes that differ from their checksum', 'warning']]);
  });

  it('goes on where settings may not be read, and says which action it lacks', async () => {
    const denied = { kind: 'answer' as const, status: 403, body: '<Error><Code>AccessDenied</Code></Error>', headers: { 'content-type': 'application/xml' } };
    proxy.script([{ effect: denied, method: 'GET', path: /\?(?:versioning|object-lock)/ }]);
    const rows = await probe('plain');
    expect(not('ok', rows)).toEqual([['keeps versions', 'warning'], ['locks objects (Object Lock)', 'warning']]);
    expect(rows.filter(({ result }) => result === 'warning').map(({ nextStep }) => nextStep)).toEqual([expect.stringContaining('s3:GetBucketVersioning'), expect.stringContaining('s3:GetBucketObjectLockConfiguration')]);
  });

  it('stops at a bucket that is not there', async () => {
    expect((await probe('nowhere-at-all')).map(({ result, seen }) => [result, seen])).toEqual([['failed', expect.stringContaining('no such bucket')]]);
  });
});
