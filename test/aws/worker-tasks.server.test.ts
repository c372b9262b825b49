import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import { kmsClient, s3Client } from '../../lib/aws/clients.ts';
import { performRestoreTask } from '../../lib/aws/restore-task.ts';
import { performVerifyTask } from '../../lib/aws/verify-task.ts';
import type { ResolvedFiles } from '../../lib/config/resolved-source.ts';
import type { SecretReference } from '../../lib/config/secret-reference.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { HealingNote } from '../../lib/catalog/ledger-records.ts';
import type { BackupState, ValidationRecord } from '../../lib/catalog/records.ts';
import type { BackupId } from '../../lib/model/ids.ts';
import { compareTrees } from '../../lib/recovery/compare-trees.ts';
import type { TaskResult } from '../../lib/recovery/workflow/states.ts';
import { EmulatedStack, PLAN_ID, entry, planOf } from '../support/emulated-stack.ts';
import { startFaultProxy } from '../support/servers/fault-proxy.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: EmulatedStack;
beforeAll(async () => {
  stack = await EmulatedStack.start();
}, 60_000);
afterAll(() => stack.stop());

function tree(): string {
  const root = temporaryFolder();
  mkdirSync(join(root, 'media'));
  for (let index = 0; index < 30; index++) writeFileSync(join(root, 'media', `file-${index}`), randomBytes(40_000));
  writeFileSync(join(root, 'media', 'canary'), 'the plain words of nobody else'.repeat(100));
  return root;
}

/** As the check of the workflow orders it. */
async function restoreInto(path: string, backup: string, select: readonly string[] = [], part?: string): Promise<TaskResult> {
  const restoreId = `R-${randomBytes(4).toString('hex')}`;
  const backupId = backup as BackupId;
  await stack.catalog.recordRestore({ restoreId, backupId, target: 'scratch', state: 'running', startedAt: 1, files: 0, bytes: 0, stages: [] });
  return performRestoreTask(
    { restoreId, backupId, planId: PLAN_ID, planName: 'files', vault: 'main', targetName: 'scratch', target: { type: 'directory', path, mounts: [] }, ...(part !== undefined && { part }), select },
    { ...stack.context(), catalog: stack.catalog, restoreEntry: entry('recovery/worker.ts'), heartbeat: async () => true, onTrouble: (error) => { throw error; } },
  );
}

async function storedObjects(): Promise<Map<string, Buffer>> {
  const { Contents = [] } = await stack.s3.send(new ListObjectsV2Command({ Bucket: 'vault-main' }));
  const bodies = await Promise.all(Contents.map(async ({ Key = '' }) => {
    const { Body } = await stack.s3.send(new GetObjectCommand({ Bucket: 'vault-main', Key }));
    return [Key, Buffer.from((await Body?.transformToByteArray()) ?? [])] as const;
  }));
  return new Map(bodies);
}

describe("the worker's tasks on the emulator", () => {
  it('back up, store only the difference, restore what was backed up and read it back', async () => {
    const root = tree();
    const plan = planOf(root);
    const first = await performBackupTask(await stack.admitted(plan), stack.context());
    expect(first?.statistics.files).toBe(31);
    for (const [name, body] of await storedObjects()) expect([name, body.includes('the plain words')]).toEqual([name, false]);

    writeFileSync(join(root, 'media', 'file-3'), randomBytes(40_000));
    const runId = await stack.admitted(plan);
    const second = await performBackupTask(runId, stack.context());
    expect(second?.statistics.storedBytes).toBeLessThan((first?.statistics.storedBytes ?? 0) / 4);
    expect(await stack.ledger.getLedgerRun(runId)).toMatchObject({ state: 'completed', backupId: second?.manifest.backup });
    expect((await stack.catalog.listBackups({ plan: 'files' })).backups.map(({ backupId, sequence, vault }) => [backupId, sequence, vault])).toEqual([[second?.manifest.backup, 2, 'main'], [first?.manifest.backup, 1, 'main']]);

    const target = join(temporaryFolder(), 'restored');
    const backupId = second!.manifest.backup as never;
    await stack.catalog.recordRestore({ restoreId: 'R1', backupId, target: 'scratch', state: 'running', startedAt: 1, files: 0, bytes: 0, stages: [] });
    const restored = await performRestoreTask(
      { restoreId: 'R1', backupId, planId: PLAN_ID, planName: 'files', vault: 'main', targetName: 'scratch', target: { type: 'directory', path: target, mounts: [] }, select: [] },
      { ...stack.context(), catalog: stack.catalog, restoreEntry: entry('recovery/worker.ts'), heartbeat: async () => true, onTrouble: (error) => { throw error; } },
    );
    expect(restored).toMatchObject({ state: 'completed', files: 31 });
    expect(readFileSync(join(target, 'media', 'canary'))).toEqual(readFileSync(join(root, 'media', 'canary')));
    expect(compareTrees(root, target)).toMatchObject({ files: 31, differences: [] });
    expect((await stack.catalog.listRestores({ backupId }))[0]?.stages).toMatchObject([{ name: 'restored', state: 'done' }, { name: 'validated', state: 'done' }]);

    const verified = await performVerifyTask({ backupId, planId: PLAN_ID, planName: 'files', vault: 'main', level: 'full' }, { ...stack.context(), catalog: stack.catalog, verifyEntry: entry('validation/worker.ts'), onProgress: () => undefined });
    expect(verified.state).toBe('validated');
    expect((await stack.catalog.getBackup(backupId)).state).toBe('validated');
    expect(await stack.catalog.lastValidation(backupId)).toMatchObject({ level: 'full', result: 'good' });
  });

  it('run the commands of the plan around the backup: one before stops it, one after cannot falsify it', async () => {
    const told = temporaryFolder();
    const tell = (name: string, code = 0) => ({ command: `echo "$HOLDFAST_HOOK $HOLDFAST_STATE $HOLDFAST_BACKUP$HOLDFAST_ERROR_CODE" >> ${told}/${name}; exit ${code}`, timeoutMs: 30_000 });
    const said: string[] = [];
    const onHook = ({ hook, complaint }: { hook: string; complaint?: string }) => void said.push(`${hook}: ${complaint ?? 'good'}`);
    const good = await stack.admitted({ ...planOf(tree()), hooks: { before: tell('good'), after: tell('good', 3) } });
    const outcome = await performBackupTask(good, stack.context({ onHook }));
    expect(readFileSync(join(told, 'good'), 'utf8')).toBe(`before running \nafter completed ${outcome!.manifest.backup}\n`);
    expect(await stack.ledger.getLedgerRun(good)).toMatchObject({ state: 'warnings', backupId: outcome!.manifest.backup });
    const bad = await stack.admitted({ ...planOf(tree()), hooks: { before: tell('bad', 4), onFailure: tell('bad') } });
    await expect(performBackupTask(bad, stack.context({ onHook }))).rejects.toMatchObject({ code: 'source-failed' });
    expect(readFileSync(join(told, 'bad'), 'utf8')).toBe('before running \non-failure failed source-failed\n');
    expect(await stack.ledger.getLedgerRun(bad)).toMatchObject({ state: 'failed', error: { code: 'source-failed', message: expect.stringContaining('exit code 4') as string } });
    expect(said).toEqual(['before: good', 'after: ended with exit code 3, wanted 0', 'before: ended with exit code 4, wanted 0', 'on-failure: good']);
  });

  it('damage is healed by the read-back with what the run stored anew; what cannot be stands in the run and in an alert with the next step, until the source has it again (V1, M3)', async () => {
    const root = tree();
    const plan = planOf(root);
    const told: HealingNote[] = [];
    const run = async () => {
      const runId = await stack.admitted(plan);
      const backupId = (await performBackupTask(runId, stack.context({ onHealing: (note) => told.push(note) })))!.manifest.backup as BackupId;
      return { runId, backupId };
    };
    const reading = { ...stack.context(), catalog: stack.catalog, verifyEntry: entry('validation/worker.ts'), onProgress: () => undefined };
    const readBack = (backupId: BackupId) => performVerifyTask({ backupId, planId: PLAN_ID, planName: 'files', vault: 'main', level: 'full' }, reading);
    const healingAlerts = async () => (await stack.ledger.listAlerts()).filter(({ alertId }) => alertId.startsWith('corruption-detected/healing/main/'));

    const before = new Set((await storedObjects()).keys());
    const first = await run();
    const [pack, bytes] = [...(await storedObjects())].filter(([name]) => name.startsWith('packs/hot/') && !before.has(name))[0]!;
    bytes[5000]! ^= 1;
    await stack.s3.send(new PutObjectCommand({ Bucket: 'vault-main', Key: pack, Body: bytes }));
    expect([(await readBack(first.backupId)).state, told]).toEqual(['corrupted', []]);
    const aside = join(temporaryFolder(), 'media');
    renameSync(join(root, 'media'), aside);
    mkdirSync(join(root, 'media'));
    writeFileSync(join(root, 'media', 'new'), randomBytes(1000));

    const second = await run();
    expect(told).toMatchObject([{ state: 'due', message: expect.stringContaining('the task that reads this backup back gives it to them') as string }]);
    expect((await stack.ledger.getLedgerRun(second.runId))?.healing).toEqual(told[0]);
    const { healing, state } = await readBack(second.backupId);
    expect(state).toBe('validated');
    expect(healing).toMatchObject({ state: 'open', message: expect.stringContaining(pack) as string, nextStep: expect.stringContaining('holdfast repair packs --aws shop --vault main --dry-run') as string });
    expect((await stack.ledger.getLedgerRun(second.runId))?.healing).toEqual(healing);
    expect(await healingAlerts()).toMatchObject([{ state: 'open', kind: 'corruption-detected', runId: second.runId, message: healing?.message, nextStep: healing?.nextStep }]);
    expect((await stack.catalog.getBackup(first.backupId)).state).toBe('corrupted');

    rmSync(join(root, 'media'), { recursive: true });
    renameSync(aside, join(root, 'media'));
    const third = await run();
    // Killed while it proves what it healed: the backup stays without an answer, so that it is read back again (M1).
    let hasRead = false;
    const dying = {
      ...reading,
      catalog: {
        getBackup: (id: BackupId) => stack.catalog.getBackup(id), setBackupState: (id: BackupId, state: BackupState) => stack.catalog.setBackupState(id, state),
        recordValidation: (record: ValidationRecord) => stack.catalog.recordValidation(record).then(() => void (hasRead = true)),
      },
      onProgress: () => { if (hasRead) throw new Error('killed'); },
    };
    await expect(performVerifyTask({ backupId: third.backupId, planId: PLAN_ID, planName: 'files', vault: 'main', level: 'full' }, dying)).rejects.toThrow('killed');
    expect([hasRead, (await stack.catalog.getBackup(third.backupId)).state, (await stack.ledger.getLedgerRun(third.runId))?.healing?.state]).toEqual([true, 'completed', 'due']);
    expect((await readBack(third.backupId)).healing).toMatchObject({ state: 'healed', message: expect.stringMatching(/^Read again in full, (\d) of \1 older backups? (is|are) good\.$/) as string });
    expect((await healingAlerts()).map(({ state }) => state)).toEqual(['resolved']);
    expect((await stack.catalog.getBackup(first.backupId)).state).toBe('validated');
    expect(await stack.catalog.lastValidation(first.backupId)).toMatchObject({ level: 'full', result: 'good' });
    expect((await restoreInto(join(temporaryFolder(), 'restored'), first.backupId)).state).toBe('completed');
    // Healed once: another read-back of the same backup has nothing to do.
    expect((await readBack(third.backupId)).healing).toBeUndefined();
  });

  it('restores say what they left out, and fail when the patterns match nothing (R2, R3)', async () => {
    const backup = (await performBackupTask(await stack.admitted(planOf(tree())), stack.context()))!.manifest.backup;
    const target = join(temporaryFolder(), 'restored');
    await expect(restoreInto(target, backup, ['no-such-folder/**', 'nor-this'])).rejects.toMatchObject({
      code: 'not-found', message: `Nothing in the backup ${backup} matches no-such-folder/** nor-this.`, nextStep: expect.stringContaining(`holdfast ls ${backup} --aws STACK`) as string,
    });
    expect(existsSync(target)).toBe(false);

    const first = await restoreInto(target, backup, ['media/']);
    expect(first).toMatchObject({ state: 'completed', files: 31, warnings: [] });
    expect(first).not.toHaveProperty('same');
    const again = await restoreInto(target, backup);
    expect(again).toMatchObject({ state: 'completed', files: 0, warnings: [] });
    expect(again.same).toBeGreaterThanOrEqual(31);

    writeFileSync(join(target, 'media', 'canary'), 'somebody went on working here');
    const canary = readFileSync(join(target, 'media', 'canary'));
    expect(await restoreInto(target, backup)).toMatchObject({ state: 'warnings', files: 0, warnings: [expect.stringMatching(/^1 entry left as it is, such as media\/canary: .*differs/)] });
    expect(readFileSync(join(target, 'media', 'canary'))).toEqual(canary);

    const barred = join(temporaryFolder(), 'barred');
    mkdirSync(barred);
    writeFileSync(join(barred, 'media'), 'a file where the backup has a directory');
    expect(await restoreInto(barred, backup)).toMatchObject({ state: 'warnings', files: 0, warnings: ['1 entry not restored, such as media: a file stands where a directory is wanted', expect.stringMatching(/^31 entries not restored, such as media\/canary: nothing can be restored below media/)] });
  });

  it('a few calls of KMS serve a whole run (K1)', async () => {
    const kms = kmsClient(stack.aws.client);
    const calls: string[] = [];
    kms.middlewareStack.add((next, { commandName }) => (args) => { calls.push(String(commandName)); return next(args); }, { step: 'initialize' });
    await performBackupTask(await stack.admitted(planOf(tree())), stack.context({ kms }));
    expect(calls).toEqual(['DecryptCommand']);
  });

  it('every third call of S3 fails or loses its answer, and catalog and vault agree (K7)', async () => {
    const proxy = await startFaultProxy(stack.aws.endpoint, [
      { effect: { kind: 'answer', status: 503, body: '<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>' }, every: 6 },
      { effect: { kind: 'lost-response' }, every: 3 },
    ]);
    try {
      const faulty = s3Client({ ...stack.aws.client, endpoint: proxy.endpoint, maxAttempts: 1 });
      const root = tree();
      const impatient = { ...systemClock, sleep: async (milliseconds: number, signal?: AbortSignal) => systemClock.sleep(Math.min(milliseconds, 5), signal) };
      const runId = await stack.admitted(planOf(root));
      const outcome = await performBackupTask(runId, stack.context({ s3: faulty, clock: impatient, heartbeatMs: 1000 }));
      expect(await stack.ledger.getLedgerRun(runId)).toMatchObject({ state: 'completed', backupId: outcome?.manifest.backup });
      const { state } = await performVerifyTask({ backupId: outcome!.manifest.backup as never, planId: PLAN_ID, planName: 'files', vault: 'main', level: 'full' }, { ...stack.context(), catalog: stack.catalog, verifyEntry: entry('validation/worker.ts'), onProgress: () => undefined });
      expect(state).toBe('validated');
      expect(proxy.calls.filter(({ effect }) => effect !== undefined).length).toBeGreaterThan(5);
    } finally {
      await proxy.stop();
    }
  });
});

describe('a plan of several sources in its task', () => {
  const setOf = (root: string, command: string, resume: string) => ({
    ...planOf(root), name: 'shop',
    source: {
      type: 'set' as const, parts: [{ name: 'out', source: { type: 'command' as const, command, stdinName: 'out.txt', minimumSizeBytes: 1 } }, { name: 'files', source: planOf(root).source as ResolvedFiles }],
      quiesce: { command: `echo halted >> ${root}/story`, timeoutMs: 30_000 }, resume: { command: `echo going >> ${root}/story; ${resume}`, timeoutMs: 30_000 },
    },
  });

  it('one part fails: the run has failed with its name, and nothing is in the catalog (P4)', async () => {
    const root = tree();
    const runId = await stack.admitted(setOf(root, 'echo no >&2; exit 4', 'true'));
    const before = (await stack.catalog.listBackups({ plan: 'shop' })).backups.length;
    await expect(performBackupTask(runId, stack.context())).rejects.toMatchObject({ code: 'source-failed' });
    expect(await stack.ledger.getLedgerRun(runId)).toMatchObject({ state: 'failed', error: { message: expect.stringMatching(/^Part out: .*exit code 4/) as string } });
    expect([(await stack.catalog.listBackups({ plan: 'shop' })).backups.length, readFileSync(join(root, 'story'), 'utf8')]).toEqual([before, 'halted\ngoing\n']);
  });

  it('a part is restored by itself; what was not set going again is a critical alert at once, which the next good run resolves (P4, M3)', async () => {
    const root = tree();
    const runId = await stack.admitted(setOf(root, 'echo content', 'exit 3'));
    const outcome = await performBackupTask(runId, stack.context());
    expect(await stack.ledger.getLedgerRun(runId)).toMatchObject({ state: 'warnings', backupId: outcome!.manifest.backup });
    const alerts = async () => (await stack.ledger.listAlerts({ state: 'open' })).filter(({ kind }) => kind === 'not-resumed');
    expect(await alerts()).toMatchObject([{ alertId: `not-resumed/shop/${runId}`, severity: 'critical', message: expect.stringContaining('ended with exit code 3') as string, nextStep: expect.stringContaining('set it going by hand') as string }]);

    const target = join(temporaryFolder(), 'restored');
    expect(await restoreInto(target, outcome!.manifest.backup, [], 'files')).toMatchObject({ state: 'completed', files: 32 });
    expect(compareTrees(root, target)).toMatchObject({ differences: [{ path: 'story', what: 'time' }, { path: 'story', what: 'content' }] });
    await expect(restoreInto(join(target, 'x'), outcome!.manifest.backup, [], 'file')).rejects.toMatchObject({ code: 'not-found', message: expect.stringContaining('did you mean "files"?') as string });

    await performBackupTask(await stack.admitted(setOf(root, 'echo content', 'true')), stack.context());
    expect(await alerts()).toEqual([]);
  });
});

it('the task of a plan backs up a bucket with the keys that the plan names, read in the task (S7)', async () => {
  await stack.s3.send(new CreateBucketCommand({ Bucket: 'shop-media' }));
  await stack.s3.send(new PutObjectCommand({ Bucket: 'shop-media', Key: 'uploads//a b', Body: 'of a customer', ContentType: 'image/webp' }));
  await stack.s3.send(new PutObjectCommand({ Bucket: 'shop-media', Key: 'private', Body: 'not asked for' }));
  const [accessKeyId, secretAccessKey] = ['id', 'key'].map((name) => ({ kind: 'secrets-manager', name } as const)) as [SecretReference, SecretReference];
  const source = { type: 's3', bucket: 'shop-media', prefix: 'uploads/', include: [], exclude: [], endpoint: stack.aws.endpoint, region: 'eu-central-1', pathStyle: true, credentials: { accessKeyId, secretAccessKey }, tags: true, parallel: 4 } as const;
  const asked: string[] = [];
  const outcome = await performBackupTask(await stack.admitted({ ...planOf('/none'), source }), { ...stack.context(), resolveSecret: async ({ name }) => (asked.push(name), `test-${name}`) });
  expect(outcome).toMatchObject({ statistics: { files: 1, bytes: 13 }, evidence: ['a listing of 1 key that ended'], manifest: { source: { type: 's3', description: 's3://shop-media/uploads/' }, warnings: [] } });
  expect(asked).toEqual(['id', 'key']);
});
