import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performBackupTask } from '../../lib/aws/backup-task.ts';
import { kmsClient } from '../../lib/aws/clients.ts';
import { openStackVault } from '../../lib/aws/stack-vault.ts';
import type { StackVault } from '../../lib/aws/stack-vault.ts';
import { stackWrappers } from '../../lib/aws/stack-wrappers.ts';
import { listSlots } from '../../lib/keyring/open-slots.ts';
import { executeRotation, planRotation } from '../../lib/keyring/rotation.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { names } from '../../lib/repository/index.ts';
import { EmulatedStack, PLAN_ID, planOf } from '../support/emulated-stack.ts';
import { TEST_PLAN, backUp, heldBy } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('rotation in the vault of a stack (K1)', () => {
  let stack: EmulatedStack;
  let root: string;
  beforeAll(async () => {
    stack = await EmulatedStack.start();
    root = temporaryFolder();
    mkdirSync(join(root, 'files'));
  }, 60_000);
  afterAll(() => stack.stop());

  it('seals runs that begin afterwards with the new number, at one call of KMS for each number; old backups still open', async () => {
    const [first, firstCalls] = await run('one');
    const vault = await open();
    const { repository, store, keys } = { ...vault.repository, repository: vault.repository.config.repository };
    const plan = await planRotation({ repository, keys: keys.keys, listed: await listSlots(store, repository), wrappers: await stackWrappers(stack.vaults['main']!, repository, { kms: kmsClient(stack.aws.client) }), leaveOut: [] });
    expect(plan.access.map(({ kind, opens, upTo, getsNew }) => [kind, opens, upTo, getsNew])).toEqual([['kms', 'everything', 1, true], ['kms', 'metadata', 1, true]]);
    await executeRotation(store, plan);
    const [second, secondCalls] = await run('two');

    expect([firstCalls, secondCalls]).toEqual([['DecryptCommand'], ['DecryptCommand', 'DecryptCommand']]);
    const after = await open();
    expect(after.mayWrite).toBe(true);
    expect(await Promise.all([first, second].map(async ({ manifest }) => Buffer.from(await store.get(names.snapshot(PLAN_ID, manifest.backup))).readUInt32BE(8)))).toEqual([1, 2]);
    const held = await Promise.all([first, second].map(async (backup) => [...(await heldBy(after.repository, backup)).keys()].filter((path) => path.includes('.')).map((path) => path.split('/').at(-1))));
    expect(held).toEqual([['one.txt'], ['one.txt', 'two.txt']]);
  });

  it('lets a run that began before go on under its number, and the old process cannot rotate again', async () => {
    const before = await open();
    const { config, store, keys } = before.repository;
    const rotate = async (vault: StackVault) => executeRotation(store, await planRotation({ repository: config.repository, keys: vault.repository.keys.keys, listed: await listSlots(store, config.repository), wrappers: await stackWrappers(stack.vaults['main']!, config.repository, { kms: kmsClient(stack.aws.client) }), leaveOut: [] }));
    await rotate(before);
    await expect(rotate(before)).rejects.toMatchObject({ code: 'wrong-key', message: expect.stringContaining('left out of the rotation to key number') });
    const late = await backUp(before.repository, join(root, 'files'));
    const after = await open();
    expect(after.repository.keys.keys.pairs.length).toBe(keys.keys.pairs.length + 1);
    expect(Buffer.from(await store.get(names.snapshot(TEST_PLAN.id, late.manifest.backup))).readUInt32BE(8)).toBe(keys.keys.pairs.length);
    expect((await heldBy(after.repository, late)).size).toBeGreaterThan(1);
  });

  function open(): Promise<StackVault> {
    return openStackVault(stack.vaults['main']!, { s3: stack.s3, kms: kmsClient(stack.aws.client), clock: systemClock });
  }

  /** One run of the worker's use case after a file was added, and which commands it sent to KMS. */
  async function run(name: string) {
    writeFileSync(join(root, 'files', `${name}.txt`), name.repeat(1000));
    const calls: string[] = [];
    const kms = kmsClient(stack.aws.client);
    kms.middlewareStack.add((next, context) => (args) => (calls.push(String(context.commandName)), next(args)), { step: 'initialize' });
    const outcome = await performBackupTask(await stack.admitted(planOf(root)), stack.context({ kms }));
    if (outcome === undefined) throw new Error('the run did not begin');
    return [outcome, calls] as const;
  }
});
