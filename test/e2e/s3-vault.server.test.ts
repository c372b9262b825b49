import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../lib/model/clock.ts';
import { openS3Store } from '../../lib/stores/s3-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { all } from '../contract/store.ts';
import { makeBucket, s3Client, TEST_CREDENTIALS } from '../support/buckets.ts';
import { SLOW_DOWN, startFaultProxy } from '../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../support/servers/fault-proxy.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { Person, describeTree, ended } from './program.ts';

const REGION = 'eu-central-1';

interface BackupJson { readonly backup: string; readonly statistics: { readonly storedBytes: number; readonly newBytes: number } }
interface DoctorJson { readonly type: string; readonly area?: string; readonly check?: string; readonly result: string }

let server: Ministack;
let proxy: FaultProxy;
let client: S3Client;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  client = s3Client(server.endpoint);
  await makeBucket(client, 'backups');
});
beforeEach(() => proxy.script([]));
afterAll(async () => {
  client?.destroy();
  await proxy?.stop();
  await server?.stop();
});

/** Somebody whose vault is below a prefix of the bucket, reached through the proxy. */
function personWith(prefix: string): { readonly person: Person; readonly store: Store; readonly source: string } {
  const person = new Person({
    AWS_ACCESS_KEY_ID: TEST_CREDENTIALS.accessKeyId, AWS_SECRET_ACCESS_KEY: TEST_CREDENTIALS.secretAccessKey, AWS_REGION: REGION, AWS_ENDPOINT_URL: proxy.endpoint,
    HOLDFAST_VAULT: `s3://backups/${prefix}`,
  });
  const source = person.path('work', 'data');
  mkdirSync(join(source, 'folder'), { recursive: true });
  for (let index = 0; index < 12; index++) writeFileSync(join(source, 'folder', `noise-${index}`), randomBytes(2_500_000));
  writeFileSync(join(source, 'secret-name.txt'), 'a line that must not be readable in the bucket\n'.repeat(50));
  return { person, source, store: openS3Store({ client, bucket: 'backups', prefix, clock: systemClock, random: Math.random }) };
}

async function expectRestored(person: Person, id: string, tree: readonly string[]): Promise<void> {
  const target = person.path('restored');
  rmSync(target, { recursive: true, force: true });
  await person.do(['restore', id, '--to', target]);
  expect(describeTree(target).slice(1)).toEqual(tree.slice(1));
}

async function packBytes(store: Store): Promise<number> {
  return (await all(store.list('packs/'))).reduce((sum, { size }) => sum + size, 0);
}

describe('the command line with a vault in a bucket', () => {
  it('makes it, backs up twice, stores the difference, lists, restores, verifies, removes and prunes; state stays here', async () => {
    const { person, store, source } = personWith('story');
    await person.do(['init', '--no-yaml']);
    const [first] = await person.json<BackupJson>(['backup', 'data']);
    const earlier = describeTree(source);
    appendFileSync(join(source, 'secret-name.txt'), 'one more line\n');
    const [second] = await person.json<BackupJson>(['backup', 'data']);
    expect(second?.statistics.storedBytes).toBeLessThan(20_000);
    expect((await person.json<{ backup: string }>(['list'])).map(({ backup }) => backup)).toEqual([second?.backup, first?.backup]);
    await expectRestored(person, first?.backup ?? '', earlier);
    await expectRestored(person, 'latest', describeTree(source));
    await person.do(['verify', '--level', 'full']);
    await person.do(['remove', first?.backup ?? '', '--yes']);
    await person.do(['prune']);
    await person.do(['verify', '--level', 'full']);
    const names = (await all(store.list(''))).map(({ name }) => name.split('/')[0]);
    expect(new Set(names)).toEqual(new Set(['coverage', 'holdfast.json', 'index', 'keys', 'kit', 'packs', 'refs', 'removed', 'snapshots', 'verdicts']));
    expect((await person.run(['init', '--no-yaml'])).stderr).toContain('A vault is at s3://backups/story already');
  });

  it('keeps nothing readable in the bucket (K1)', async () => {
    const { person, store } = personWith('cipher');
    await person.do(['init', '--no-yaml']);
    await person.do(['backup', 'data']);
    for (const { name } of await all(store.list(''))) {
      const { Body } = await client.send(new GetObjectCommand({ Bucket: 'backups', Key: `cipher/${name}` }));
      const text = Buffer.from((await Body?.transformToByteArray()) ?? []).toString('latin1');
      for (const plain of ['a line that must', 'secret-name', 'noise-1', 'work/data']) expect(text.includes(plain)).toBe(false);
    }
  });

  it('survives SIGKILL in the middle of a backup: the next run is whole and uses what was stored', async () => {
    const { person, store, source } = personWith('killed');
    await person.do(['init', '--no-yaml']);
    // The second pack hangs: the first is stored, and the run is in its middle.
    proxy.script([{ effect: { kind: 'delay', milliseconds: 60_000 }, method: 'PUT', path: /packs\/hot/, nth: 2 }]);
    const child = person.start(['backup', 'data']);
    const running = ended(child);
    while ((await all(store.list('packs/'))).length === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    child.kill('SIGKILL');
    expect((await running).signal).toBe('SIGKILL');
    expect(await all(store.list('snapshots/'))).toEqual([]);
    proxy.script([]);
    await person.do(['backup', 'data']);
    await expectRestored(person, 'latest', describeTree(source));
    await person.do(['verify', '--level', 'full']);
    expect(await packBytes(store)).toBeLessThan(1.1 * 30_000_000);
  });

  it('backs up and restores over a line on which every third request fails, and stores nothing twice', async () => {
    const { person, store, source } = personWith('faults');
    await person.do(['init', '--no-yaml']);
    const effects = [SLOW_DOWN, { kind: 'reset' }, { kind: 'lost-response' }, { kind: 'cut-body' }] as const;
    proxy.script(effects.map((effect, index) => ({ effect, every: 12, after: 3 * index })));
    const [made] = await person.json<BackupJson>(['backup', 'data']);
    await expectRestored(person, 'latest', describeTree(source));
    proxy.script([]);
    expect(await packBytes(store)).toBeLessThanOrEqual((made?.statistics.storedBytes ?? 0) + 1000);
    await person.do(['verify', '--level', 'full']);
  });

  it('says in one line what is wrong: no bucket, no vault, no region, refused credentials', async () => {
    const { person } = personWith('wrong');
    const said = async (vault: string, without: readonly string[] = []) => {
      for (const name of without) delete person.environment[name];
      const { code, stderr } = await person.run(['list', '--vault', vault]);
      return `${code} ${stderr.split('\n')[0]}`;
    };
    expect(await said('s3://no-such-bucket-here/x')).toMatch(/^10 holdfast: cannot read holdfast.json in s3:\/\/no-such-bucket-here\/x: there is no such bucket/);
    expect(await said('s3://backups/empty')).toMatch(/^10 holdfast: No vault is at s3:\/\/backups\/empty/);
    expect(await said('s3://AKIA:hunter2@backups/x')).toBe('2 holdfast: The vault holds credentials, wanted none in a command line.');
    proxy.script([{ effect: { kind: 'answer', status: 400, body: '<Error><Code>ExpiredToken</Code></Error>', headers: { 'content-type': 'application/xml' } } }]);
    expect(await said('s3://backups/empty')).toMatch(/^1 holdfast: .*the credentials have expired/);
    expect(await said('s3://backups/empty', ['AWS_ENDPOINT_URL', 'AWS_REGION'])).toMatch(/^2 holdfast: .*no region is named/);
  });
});

describe('holdfast doctor on a bucket', () => {
  it('finds it fit before a vault is made, and after', async () => {
    const { person, store } = personWith('doctor');
    const before = await person.run(['doctor']);
    expect([before.code, before.stdout]).toEqual([3, expect.stringContaining('no vault is at s3://backups/doctor yet')]);
    await person.do(['init', '--no-yaml']);
    await person.do(['keys', 'add', '--new-key-file', 'second.key']);
    const rows = await person.json<DoctorJson>(['doctor']);
    expect(rows.filter(({ result }) => result !== 'ok')).toEqual([]);
    expect(rows.filter(({ area }) => area === 'store')).toHaveLength(10);
    expect((await all(store.list('probe/')))).toEqual([]);
  });

  it('ends with 1 on a store that ignores conditions: everybody wins the race for a name', async () => {
    const { person } = personWith('cheat');
    await person.do(['init', '--no-yaml']);
    proxy.script([{ effect: { kind: 'ignored-header', header: 'if-none-match' }, method: 'PUT' }]);
    const { code, stdout } = await person.run(['doctor', '--json']);
    const rows = stdout.trim().split('\n').map((line) => JSON.parse(line) as DoctorJson);
    expect(code).toBe(1);
    expect(rows.filter(({ result }) => result === 'failed').map(({ check }) => check)).toEqual(['writes a name once', 'lets one of many racing writers win', undefined]);
  });
});
