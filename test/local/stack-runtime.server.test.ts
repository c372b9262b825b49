import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import { recipientLine } from '../../lib/keyring/recipient/public-half.ts';
import { xWingKey } from '../../lib/keyring/recipient/x-wing.ts';
import { stackPlanId } from '../../lib/settings/ids.ts';
import { MADE_SYSTEM, makeSegment } from '../../scripts/vectors/made-wal.ts';
import { EmulatedStack, STACK, planOf } from '../support/emulated-stack.ts';
import { StackDesk } from '../support/stack-desk.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: EmulatedStack;
let desk: StackDesk;
let root: string;
let backups: string[];

beforeAll(async () => {
  stack = await EmulatedStack.start(['main', 'second']);
  desk = await StackDesk.open(stack);
  root = temporaryFolder();
  mkdirSync(join(root, 'photos'));
  writeFileSync(join(root, 'photos', 'one.jpg'), 'not really a picture');
  const other = { ...planOf(root), name: 'other', planId: stackPlanId(STACK, 'other'), vault: 'second' };
  backups = [];
  for (const plan of [planOf(root), other]) backups.push((await performBackupTask(await stack.admitted(plan), stack.context()))?.manifest.backup ?? '');
}, 60_000);
afterAll(async () => {
  desk.close();
  await stack.stop();
});

/** A plan whose WAL a task receives, in the second vault. A deployed configuration is read once. */
const cluster = () => ({
  ...planOf(root), name: 'cluster', planId: stackPlanId(STACK, 'cluster'), vault: 'second',
  source: { type: 'postgres-physical', host: 'db', port: 5432, database: 'postgres', user: 'u', wal: 'fetch', checkpoint: 'fast', minimumSizeBytes: 1 },
  wal: { freshnessMs: 900_000, receiver: { slot: 'holdfast_cluster', partialEveryMs: 60_000, task: { cpu: 256, memoryMiB: 512, diskGiB: 21 } } },
});
const holdfast = (...args: readonly string[]) => desk.run(...args);
const ON = ['--aws', STACK, '--vault', 'main'];

describe('the command line with a deployed stack (--aws)', () => {
  it('lists what the catalog knows of a vault', async () => {
    const { code, json } = await holdfast('list', ...ON, '--json');
    expect(json.map(({ backup, planName, vault }) => [backup, planName, vault])).toEqual([[backups[0], 'files', 'main']]);
    expect(code).toBe(0);
  });

  it('of several vaults wants one by name, and says which there are', async () => {
    const { code, err } = await holdfast('list', '--aws', STACK);
    expect(err).toContain('The stack shop has 2 vaults (main, second), wanted one of them by name.');
    expect(code).toBe(2);
  });

  it('shows, lists entries and restores with the rights of the caller', async () => {
    expect((await holdfast('show', 'latest:files', ...ON, '--json')).json[0]).toMatchObject({ backup: backups[0], planName: 'files' });
    expect((await holdfast('ls', backups[0] ?? '', 'photos', ...ON)).out).toContain('one.jpg');
    const target = join(temporaryFolder(), 'back');
    expect((await holdfast('restore', 'latest:files', ...ON, '--to', target)).code).toBe(0);
    expect(readFileSync(join(target, 'photos', 'one.jpg'), 'utf8')).toBe('not really a picture');
  });

  it('exports, finds and compares with the rights of the caller (K9, R7)', async () => {
    const archive = join(temporaryFolder(), 'files.tar');
    expect((await holdfast('export', 'latest:files', ...ON, '--to', archive)).code).toBe(0);
    expect(execFileSync('tar', ['-xOf', archive, 'photos/one.jpg'], { encoding: 'utf8' })).toBe('not really a picture');
    expect((await holdfast('find', 'one.jpg', ...ON, '--json')).json).toMatchObject([{ type: 'version', path: 'photos/one.jpg', last: { backup: backups[0] } }, { type: 'find', backups: 1 }]);
    expect((await holdfast('diff', 'latest:files', ...ON, '--with', root, '--content', '--json')).json).toMatchObject([{ type: 'diff', isDifferent: false }]);
  });

  it('verifies from outside, and the catalog knows (V5)', async () => {
    expect((await holdfast('verify', 'latest:files', ...ON, '--level', 'full')).code).toBe(0);
    expect((await stack.catalog.getBackup(backups[0] ?? '')).state).toBe('validated');
  });

  it('examines the vault of the stack, its keys in KMS and its bucket', async () => {
    const { json } = await holdfast('doctor', ...ON, '--json');
    const ofStack = json.filter(({ area }) => ['vault', 'key', 'store'].includes(String(area)));
    expect(ofStack.filter(({ result }) => result !== 'ok').map(({ check }) => check)).toEqual(['has a second']);
    expect(ofStack).toHaveLength(14);
    expect(ofStack[1]?.['seen']).toMatch(/^KMS key .* named by the stack shop: opens everything$/);
  });

  it('rebuilds the catalog from all vaults, whichever is named', async () => {
    const asked = await holdfast('catalog', 'rebuild', ...ON);
    expect(asked.err).toContain('The history of 2 runs and 1 restore of this stack will be forgotten');
    expect(asked.code).toBe(1);
    expect((await holdfast('catalog', 'rebuild', ...ON, '--dry-run', '--json')).json).toMatchObject([{ type: 'catalog-rebuild-plan', forgets: { runs: 2, restores: 1 } }]);
    await stack.catalog.replaceAll({ plans: [], backups: [], validations: [] });
    const { code, out } = await holdfast('catalog', 'rebuild', ...ON, '--yes');
    expect(out).toContain('2 backups of 2 plans');
    expect(code).toBe(0);
    const { backups: found } = await stack.catalog.listBackups();
    expect(found.map(({ backupId, vault }) => `${vault} ${backupId}`).sort()).toEqual([`main ${backups[0]}`, `second ${backups[1]}`]);
  });

  it('gives new keys to the recipients that are deployed, tests what KMS opens, and removes no slot (K1, K11)', async () => {
    const seed = randomBytes(32);
    const s3 = new S3Client({ ...stack.aws.client, forcePathStyle: true });
    await s3.send(new CreateBucketCommand({ Bucket: 'assets', CreateBucketConfiguration: { LocationConstraint: 'eu-central-1' } }));
    const recipients = [{ label: 'office.recipient', text: recipientLine(xWingKey(seed).publicKey) }];
    await s3.send(new PutObjectCommand({ Bucket: 'assets', Key: 'config.json', Body: JSON.stringify({ version: 1, stackName: STACK, plans: [cluster()], restoreTargets: [], vaults: [{ name: 'main', maxConcurrentRuns: 4, recipients }, { name: 'second', maxConcurrentRuns: 4 }] }) }));
    const { code, out, err } = await holdfast('keys', 'rotate', ...ON);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/recipient +office\.recipient +everything +no +yes/);
    expect((await holdfast('keys', 'test', ...ON, '--json')).json).toMatchObject([{ result: 'good', keyNumbers: [{ number: 1, opens: 'everything' }, { number: 2, opens: 'everything' }], backup: { backup: backups[0] }, frames: [{ keyNumber: 1 }] }]);
    const slots = (await holdfast('keys', 'list', ...ON, '--json')).json;
    expect(slots.map(({ keyNumber, kind, opens }) => `${String(keyNumber)} ${String(kind)} ${String(opens)}`).sort()).toEqual(['1 kms everything', '1 kms metadata', '2 kms everything', '2 kms metadata', '2 recipient everything']);
    expect(await holdfast('keys', 'remove', String(slots[0]?.['slot']), '--yes', ...ON)).toMatchObject({ code: 1, err: expect.stringContaining("Slots of a stack's vault cannot be removed") });
  });

  it('keeps and gives back WAL of a deployed plan in its vault, and says when none arrives (R4)', async () => {
    expect(await holdfast('pitr', 'windows', 'cluster', '--aws', STACK)).toMatchObject({ err: '', code: 3, out: expect.stringContaining('cluster: late: no WAL was ever stored, wanted some every 15 min 0 s') });
    expect(await holdfast('pitr', 'windows', '--aws', STACK, '--vault', 'second')).toMatchObject({ code: 3, out: expect.stringContaining('cluster: late') });
    const name = '000000010000000000000003';
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), makeSegment({ name }));
    expect((await holdfast('wal-archive', join(folder, name), '--plan', 'cluster', '--aws', STACK)).code).toBe(0);
    expect((await holdfast('wal-fetch', name, join(folder, 'back'), '--plan', 'cluster', '--system-id', MADE_SYSTEM, '--aws', STACK)).code).toBe(0);
    expect(readFileSync(join(folder, 'back')).equals(makeSegment({ name }))).toBe(true);
    expect((await holdfast('pitr', 'windows', 'cluster', '--aws', STACK)).out).toMatch(/cluster: WAL was last known to arrive .* within 15 min/);
    expect(await holdfast('wal-receive', 'cluster', '--aws', STACK)).toMatchObject({ err: expect.stringContaining('In a stack a task receives WAL') });
  });

  it.each([
    ['a stack that is not there', ['list', '--aws', 'nowhere'], 'No stack nowhere is in this account and region.', 1],
    ['a vault that is not there', ['list', '--aws', STACK, '--vault', 'third'], 'The stack shop has no vault third (main, second)', 2],
    ['a backup that is not there', ['show', '01KZZZ', ...ON], '01KZZZ', 1],
    ['options of this machine', ['backup', 'files', ...ON, '--class', 'warm'], '--class cannot be used with --aws', 2],
    ['no plan', ['backup', ...ON], '0 plans were named, wanted one plan of the stack shop.', 2],
  ])('refuses %s in words', async (_what, args, message, exitCode) => {
    const { code, err } = await holdfast(...args);
    expect(err).toContain(message);
    expect(code).toBe(exitCode);
  });
});
