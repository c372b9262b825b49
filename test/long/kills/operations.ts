import { mkdirSync, rmSync } from 'node:fs';
import { PLANS } from './desk.ts';
import type { Command, KillDesk } from './desk.ts';
import { expectNoneUnfinished, expectWholeExports } from './exports.ts';
import { expectHonestCoverage, expectIndexed, expectKeysOpen, objectsBelow, wound, woundOneOfTwo } from './wounds.ts';

/** A command that is killed, and what must hold whenever that was. */
export interface Operation {
  readonly name: string;
  /** What to start, on a desk as it is; undefined when it has nothing to do there. */
  prepare(desk: KillDesk): Prepared | undefined | Promise<Prepared | undefined>;
}

export interface Prepared {
  readonly command: Command;
  /** Instead of the same command, after the kill. */
  readonly again?: Command;
  /** The backup that it removes. */
  readonly removes?: string;
  /** The object that is not what was stored, until it is healed. */
  readonly wounded?: string;
  /** Instead of a proof of the whole vault, for what writes nothing into it, or after the kill besides it. */
  readonly afterKill?: () => Promise<void> | void;
  readonly isVaultProved?: false;
  /** When it has come to its end, killed before or not. */
  readonly afterwards?: () => Promise<void> | void;
}

export const OPERATIONS: readonly Operation[] = [
  { name: 'backup', prepare: (desk) => backUp(desk, []) },
  { name: 'full backup', prepare: (desk) => backUp(desk, ['--full']) },
  { name: 'backup that heals', prepare: healByBackup },
  { name: 'restore', prepare: restoreOne },
  { name: 'export', prepare: exportOne },
  { name: 'verify', prepare: () => ({ command: { args: ['verify', '--level', 'full'] } }) },
  { name: 'verify --within', prepare: verifyWithin },
  { name: 'repair packs', prepare: repairPacks },
  { name: 'repair index', prepare: repairIndex },
  { name: 'remove', prepare: removeOne },
  { name: 'prune', prepare: ({ dice }) => ({ command: { pruneHoursAhead: dice.from([0, 72, 100]) } }) },
  { name: 'rebuild', prepare: () => ({ command: { args: ['catalog', 'rebuild'] } }) },
  { name: 'add a key', prepare: addKey },
  { name: 'rotate', prepare: rotate },
];

function backUp(desk: KillDesk, options: readonly string[]): Prepared {
  const plan = desk.dice.from(PLANS);
  desk.change(plan);
  return { command: { args: ['backup', plan, ...options] } };
}

/** Damage that verify found is healed at the end of the next backup; what a kill leaves of it, by the repair. */
async function healByBackup(desk: KillDesk): Promise<Prepared> {
  const { object, backup } = await woundOneOfTwo(desk, 'pack');
  await expectFound(desk, object);
  return { ...backUp(desk, []), wounded: object, afterwards: () => expectHealed(desk, backup) };
}

/** What is half restored is written again, and then nothing of the first attempt is left (R1). */
function restoreOne(desk: KillDesk): Prepared {
  const id = desk.dice.from([...desk.kept.keys()]);
  const target = desk.person.path('out');
  rmSync(target, { recursive: true, force: true });
  return { command: { args: ['restore', id, '--to', target, '--overwrite', 'always'] }, isVaultProved: false, afterwards: () => desk.expectTree(id, target) };
}

/** To another file each time: nothing is overwritten, and the kill may have come when the file had its name (K9). */
function exportOne(desk: KillDesk): Prepared {
  const { person, kept, dice } = desk;
  const id = dice.from([...kept.keys()]);
  const suffix = dice.from(['.tar', '.tar.gz', '.tar.zst']);
  const command = () => ({ args: ['export', id, '--to', person.path('exports', `${dice.next()}${suffix}`)] });
  mkdirSync(person.path('exports'), { recursive: true });
  return {
    command: command(), again: command(), isVaultProved: false,
    afterKill: () => void expectWholeExports(desk, id),
    afterwards: () => {
      if (expectWholeExports(desk, id) !== 1) throw new Error(`the export of ${id} is not there`);
      expectNoneUnfinished(desk);
    },
  };
}

/** The damage is found by the next run, whatever the killed one had noted (V2). */
async function verifyWithin(desk: KillDesk): Promise<Prepared> {
  const { object, backup } = await woundOneOfTwo(desk, 'pack', ['flipped']);
  const expectHonest = () => expectHonestCoverage(desk, object);
  return {
    command: { args: ['verify', '--within', '1'], code: 12 }, isVaultProved: false, afterKill: expectHonest,
    afterwards: async () => {
      await expectHonest();
      await expectHealed(desk, backup);
    },
  };
}

async function repairPacks(desk: KillDesk): Promise<Prepared> {
  const { object, backup } = await woundOneOfTwo(desk, desk.dice.from(['pack', 'pack', 'list']));
  await expectFound(desk, object);
  return { command: { args: ['repair', 'packs'] }, wounded: object, afterwards: () => expectHealed(desk, backup) };
}

/** Nothing is lost with an index; afterwards every pack is in one again, and none is broken. */
function repairIndex(desk: KillDesk): Prepared {
  const object = desk.dice.from(objectsBelow(desk, 'index'));
  desk.brokenIndexes.add(object);
  wound(desk, object, desk.dice.from(['gone', 'short', 'flipped']));
  return {
    command: { args: ['repair', 'index'] }, wounded: object,
    afterwards: async () => {
      await desk.prove();
      await expectIndexed(desk);
      const [plan] = (await desk.json(['repair', 'index', '--dry-run'])) as [{ objects?: unknown[]; broken?: unknown[] }];
      if (plan.objects?.length !== 0 || plan.broken?.length !== 0) throw new Error(`the indexes are not repaired: ${JSON.stringify(plan)}`);
    },
  };
}

/** Never the last one of a plan. */
function removeOne({ kept, dice }: KillDesk): Prepared | undefined {
  const id = dice.from([...kept.keys()]);
  const plan = kept.get(id)?.plan;
  if ([...kept.values()].filter((one) => one.plan === plan).length < 2) return undefined;
  return { command: { args: ['remove', id, '--yes', '--force'] }, removes: id };
}

function addKey(desk: KillDesk): Prepared {
  const file = desk.person.path(`key-${desk.keys.length}`);
  const before = [...desk.keys];
  desk.keys.push(file);
  return { command: { args: ['keys', 'add', '--new-key-file', file] }, afterKill: () => expectKeysOpen(desk, before), afterwards: () => expectKeysOpen(desk, desk.keys) };
}

/** A rotation that was cut short leaves keys without the new number; the next one gives it to all. */
function rotate(desk: KillDesk): Prepared {
  return { command: { args: ['keys', 'rotate', ...desk.keys.flatMap((file) => ['--for-key-file', file])] }, afterwards: () => expectKeysOpen(desk, desk.keys) };
}

async function expectFound(desk: KillDesk, wounded: string): Promise<void> {
  if (!(await desk.prove({ wounded }))) throw new Error(`verify does not find what is wrong with ${wounded}`);
}

/** By a repair to its end, which finds nothing to do after one that was. */
async function expectHealed(desk: KillDesk, backup: string): Promise<void> {
  await desk.complete('repair packs', { args: ['repair', 'packs'] });
  await desk.prove();
  await desk.restore(backup);
}
