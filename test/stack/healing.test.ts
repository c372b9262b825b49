import { createHash } from 'node:crypto';
import { rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupOutcome } from '../../lib/backup/run-backup.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import type { PlanId, WriterId } from '../../lib/model/ids.ts';
import { names, packIdOf, readRefs, readVerdicts, standingVerdict } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { stackPlanId, stackWriterId } from '../../lib/settings/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import type { Operation } from '../../lib/stores/wrapping.ts';
import { healAfterReadBack } from '../../lib/validation/healing/heal-after-read-back.ts';
import { verify } from '../../lib/validation/verify.ts';
import type { VerifyOptions } from '../../lib/validation/verify.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { backUp, heldBy, testRepository } from '../support/run-backup.ts';
import { arnOf, bucketPolicy, onlyOne, roleOf } from '../support/stack/deployed-names.ts';
import { EXAMPLE, templateOf } from '../support/stack/synthesize.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';
import { flipped, tamper } from '../support/wounded-vault.ts';

const template = templateOf({ yaml: EXAMPLE });
const bucketId = onlyOne(template, 'AWS::S3::Bucket');
const bucket = arnOf(template, bucketId);
const rules = bucketPolicy(template, bucketId);

const ACTIONS: Readonly<Record<Exclude<Operation, 'now'>, string>> = { get: 's3:GetObject', stat: 's3:GetObject', put: 's3:PutObject', list: 's3:ListBucket', remove: 's3:DeleteObject' };

/** The vault as the role of a deployed task sees it: every call is decided by its policies and the bucket's. */
function seenBy(description: string, store: Store, calls: string[] = []): Store {
  const { arn: principal, statements: identity } = roleOf(template, description);
  const check = (operation: Exclude<Operation, 'now'>, name: string) => {
    const action = ACTIONS[operation];
    calls.push(`${operation} ${name}`);
    const context = { 'aws:SecureTransport': 'true', ...(operation === 'put' && { 's3:if-none-match': '*' }) };
    if (isAllowed({ action, resource: operation === 'list' ? bucket : `${bucket}/${name}`, principal, context }, { identity, resource: rules })) return;
    throw new HoldfastError('permission', `Whoever ${description} may not ${operation} ${name}.`);
  };
  return wrapStore(store, {
    call: async ({ operation, name }, run) => (operation !== 'now' && check(operation, name), run()),
    list: ({ name }, run) => (check('list', name), run()),
  });
}

const WRITER = 'backups of plan orders';
const VERIFIER = 'reads backups in vault main back';
const COMMAND = 'holdfast repair packs --aws shop --vault main';
const PACKS = { frameBytes: 20_000, targetBytes: 60_000, limitBytes: 1 << 20 };

/** A plan of a stack: its runs with the writer's role, its read-backs with the verifier's. */
class StackVault {
  readonly folder = temporaryFolder();
  readonly whole: Repository = testRepository(new MemoryStore(systemClock));
  readonly writersCalls: string[] = [];
  readonly #writer: Repository = { ...this.whole, store: seenBy(WRITER, this.whole.store, this.writersCalls) };
  readonly #verifier: Repository = { ...this.whole, store: seenBy(VERIFIER, this.whole.store) };
  readonly runs: BackupOutcome[] = [];

  write(name: string, salt = ''): void {
    const path = join(this.folder, name);
    writeFileSync(path, Buffer.concat(Array.from({ length: 500 }, (_, block) => createHash('sha256').update(`${name} ${salt} ${block}`).digest())));
    utimesSync(path, 1_500_000_000 + salt.length, 1_500_000_000);
  }

  async backUp(): Promise<BackupOutcome> {
    const outcome = await backUp(this.#writer, this.folder, {
      writer: { id: stackWriterId('shop') as WriterId, host: 'shop' }, plan: { id: stackPlanId('shop', 'orders') as PlanId, name: 'orders' },
      leavesHealing: true, packSizes: PACKS, compression: { algorithm: 'none', level: 0 }, isKeepingXattrs: false, changeDetection: 'mtime', ports: { startThread: (settings) => threadInProcess(settings) },
    });
    this.runs.push(outcome);
    return outcome;
  }

  readBack({ manifest }: BackupOutcome) {
    return verify(this.#verifier, { level: 'full', clock: systemClock, backups: [names.snapshot(manifest.plan, manifest.backup)] });
  }

  heal(reading: Pick<VerifyOptions, 'onProgress'> = {}) {
    return healAfterReadBack(this.#verifier, { ...reading, clock: systemClock, command: COMMAND });
  }

  /** The first pack of data of the first backup rots, and a read-back notices. */
  async damageFirst(): Promise<string> {
    const [first] = this.runs;
    const { packs } = await readRefs(this.whole, first!.manifest);
    const pack = packs.filter(({ name }) => name.startsWith('packs/hot/')).sort((left, right) => right.size - left.size)[0]!.name;
    await tamper(this.whole.store, pack, flipped(5000));
    expect((await this.readBack(first!)).damage.map(({ name }) => name)).toContain(pack);
    return pack;
  }

  async standings(): Promise<(string | undefined)[]> {
    return Promise.all(this.runs.map(async ({ manifest }) => standingVerdict(await readVerdicts(this.whole, manifest.backup))?.result));
  }
}

async function begun(): Promise<StackVault> {
  const vault = new StackVault();
  for (const name of ['a', 'b', 'c', 'd', 'e']) vault.write(name);
  await vault.backUp();
  return vault;
}

describe('damage in the vault of a stack, with the rights that its roles have (V1, C6)', () => {
  test('the run stores anew what its source has and reads no content; the read-back heals older backups and proves them', async () => {
    const vault = await begun();
    const pack = await vault.damageFirst();
    vault.writersCalls.length = 0;
    const outcome = await vault.backUp();
    expect(outcome.healing).toEqual({ isLeft: true });
    expect(outcome.manifest.statistics.newBytes).toBe(4 * 16_000);
    expect(vault.writersCalls.filter((call) => /^get packs\/(hot|warm|cold)\//.test(call))).toEqual([]);
    expect((await readRefs(vault.whole, outcome.manifest)).packs.map(({ name }) => name)).not.toContain(pack);
    expect((await vault.readBack(outcome)).backups).toMatchObject([{ result: 'good' }]);
    expect(await vault.standings()).toEqual(['corrupted', 'good']);
    const { note, again } = await vault.heal();
    expect(note).toEqual({ state: 'healed', message: '1 pack of 1 older backup healed. Read again in full, 1 of 1 older backup is good.' });
    expect(again).toMatchObject({ level: 'full', backups: [{ backup: vault.runs[0]!.manifest.backup, result: 'good' }] });
    expect(await vault.standings()).toEqual(['good', 'good']);
    expect([...(await heldBy(vault.whole, vault.runs[0]!)).keys()]).toEqual(['', 'a', 'b', 'c', 'd', 'e']);
    expect((await vault.heal()).note).toEqual({ state: 'healed', message: 'Nothing is left to heal.' });
  });

  test('what an attempt that died has healed and not proved is proved by the next', async () => {
    const vault = await begun();
    await vault.damageFirst();
    await vault.backUp();
    await expect(vault.heal({ onProgress: () => { throw new Error('killed while it read'); } })).rejects.toThrow('killed while it read');
    expect(await vault.standings()).toContain('corrupted');
    const { note, again } = await vault.heal();
    expect(note).toEqual({ state: 'healed', message: 'Read again in full, 1 of 1 older backup is good.' });
    expect(again?.backups).toMatchObject([{ backup: vault.runs[0]!.manifest.backup, result: 'good' }]);
    expect(await vault.standings()).not.toContain('corrupted');
  });

  test('what the source has no more stays lost, is named with its pack, and the note says what a person runs', async () => {
    const vault = await begun();
    const pack = await vault.damageFirst();
    for (const name of ['a', 'b', 'c', 'd']) rmSync(join(vault.folder, name));
    vault.write('new');
    const outcome = await vault.backUp();
    expect(outcome.healing).toEqual({ isLeft: true });
    const { note } = await vault.heal();
    expect(note).toMatchObject({ state: 'open', message: expect.stringContaining(packIdOf(pack)) as string, nextStep: expect.stringContaining(`\`${COMMAND} --dry-run\` says what is lost.`) as string });
    expect(await vault.standings()).toContain('corrupted');
  });

  test('a pack of somebody else, such as of a person with rights of his own, is healed by a person: the note says so', async () => {
    const vault = new StackVault();
    for (const name of ['a', 'b', 'c', 'd', 'e']) vault.write(name);
    vault.runs.push(await backUp(vault.whole, vault.folder, { packSizes: PACKS, compression: { algorithm: 'none', level: 0 }, isKeepingXattrs: false, ports: { startThread: (settings) => threadInProcess(settings) } }));
    await vault.damageFirst();
    vault.write('b', 'changed');
    await vault.backUp();
    const { note } = await vault.heal();
    expect(note).toMatchObject({ state: 'open', message: expect.stringMatching(/healing them failed: .*may not put packs\/hot\//) as string, nextStep: expect.stringContaining(`Run \`${COMMAND}\` with your own rights.`) as string });
  });
});
