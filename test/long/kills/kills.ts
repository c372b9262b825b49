import type { OpenSuite } from './long-suite.ts';
import { KillDesk } from './kill-desk.ts';
import type { Command } from './kill-desk.ts';

/** Real kills in each case; a process that had ended before counts for nothing. */
const KILLS = 5;

interface Operation {
  readonly name: string;
  /** What to start, on a desk as it is; undefined when it has nothing to do there. */
  prepare(desk: KillDesk): Prepared | undefined;
}

interface Prepared {
  readonly command: Command;
  /** Instead of the same command, after the kill. */
  readonly again?: Command;
  /** The backup that it removes. */
  readonly removes?: string;
}

const OPERATIONS: readonly Operation[] = [
  { name: 'backup', prepare: (desk) => backUp(desk, []) },
  { name: 'full backup', prepare: (desk) => backUp(desk, ['--full']) },
  { name: 'restore', prepare: ({ person, kept, dice }) => ({ command: { args: ['restore', dice.from([...kept.keys()]), '--to', person.path('out'), '--overwrite', 'always'] } }) },
  { name: 'export', prepare: exportOne },
  { name: 'verify', prepare: () => ({ command: { args: ['verify', '--level', 'full'] } }) },
  { name: 'remove', prepare: removeOne },
  { name: 'prune', prepare: ({ dice }) => ({ command: { pruneHoursAhead: dice.from([0, 72, 100]) } }) },
  { name: 'rebuild', prepare: () => ({ command: { args: ['catalog', 'rebuild'] } }) },
  { name: 'add a key', prepare: addKey },
  { name: 'rotate', prepare: ({ keys }) => ({ command: { args: ['keys', 'rotate', ...keys.flatMap((file) => ['--for-key-file', file])] } }) },
];

/** SIGKILL at any moment of any command of the built program; then the vault is proved, and the same command completes. */
export const kills: OpenSuite = {
  tell: async (seed) => {
    const desk = new KillDesk(seed);
    const told: string[] = [];
    try {
      await desk.open();
      while (told.length < KILLS) await killOnce(desk, told);
      await desk.restoreAll();
    } catch (error) {
      throw new Error(`killed so far: ${told.join(', ') || 'nothing'}; then: ${(error as Error).message}`, { cause: error });
    } finally {
      desk.close();
    }
  },
};

async function killOnce(desk: KillDesk, told: string[]): Promise<void> {
  const { name, prepare } = desk.dice.from(OPERATIONS);
  const prepared = prepare(desk);
  if (!prepared) return;
  const { command, again = command, removes } = prepared;
  if (!(await desk.kill(name, command))) return desk.takeStock(removes);
  told.push(name);
  await desk.takeStock(removes);
  await desk.verify();
  // A removal that had come far enough needs no second one.
  if (removes === undefined || desk.kept.has(removes)) await desk.complete(name, again);
  await desk.takeStock(removes);
}

function backUp(desk: KillDesk, options: readonly string[]): Prepared {
  const plan = desk.dice.from(['a', 'b']);
  desk.change(plan);
  return { command: { args: ['backup', plan, ...options] } };
}

/** Never the last one of a plan. */
function removeOne({ kept, dice }: KillDesk): Prepared | undefined {
  const id = dice.from([...kept.keys()]);
  const plan = kept.get(id)?.plan;
  if ([...kept.values()].filter((one) => one.plan === plan).length < 2) return undefined;
  return { command: { args: ['remove', id, '--yes', '--force'] }, removes: id };
}

function addKey({ person, keys }: KillDesk): Prepared {
  const file = person.path(`key-${keys.length}`);
  keys.push(file);
  return { command: { args: ['keys', 'add', '--new-key-file', file] } };
}

/** To another file each time: nothing is overwritten, and the kill may have come when the file had its name (K9). */
function exportOne({ person, kept, dice }: KillDesk): Prepared {
  const command = () => ({ args: ['export', dice.from([...kept.keys()]), '--to', person.path(`export-${dice.next()}.tar.zst`)] });
  return { command: command(), again: command() };
}
