import type { OpenSuite } from '../long-suite.ts';
import { KillDesk } from './desk.ts';
import { OPERATIONS } from './operations.ts';
import type { Operation } from './operations.ts';

/** Real kills in each case; a process that had ended before counts for nothing. */
const KILLS = 10;

/** SIGKILL at any moment of any command of the built program; then the vault is proved, and the same command completes. */
export function openKills(): Promise<OpenSuite> {
  const killed = new Map<string, number>();
  return Promise.resolve({
    tell: async (seed) => {
      for (const name of await tell(seed)) killed.set(name, (killed.get(name) ?? 0) + 1);
    },
    close: () => Promise.resolve(`killed: ${OPERATIONS.flatMap(({ name }) => (killed.has(name) ? [[name, killed.get(name)] as const] : [])).map(([name, count]) => `${name} ${count}`).join(', ')}`),
  });
}

/** The names of what was killed. */
async function tell(seed: number): Promise<readonly string[]> {
  const desk = new KillDesk(seed);
  const told: string[] = [];
  try {
    await desk.open();
    while (told.length < KILLS) await killOnce(desk, desk.dice.from(OPERATIONS), told);
    await desk.restoreAll();
    return told;
  } catch (error) {
    throw new Error(`killed so far: ${told.join(', ') || 'nothing'}; then: ${(error as Error).message}`, { cause: error });
  } finally {
    desk.close();
  }
}

async function killOnce(desk: KillDesk, { name, prepare }: Operation, told: string[]): Promise<void> {
  const prepared = await prepare(desk);
  if (!prepared) return;
  const { command, again = command, removes, wounded, isVaultProved = true } = prepared;
  if (await desk.kill(name, command)) {
    told.push(name);
    if (isVaultProved) await desk.prove({ mayBeGone: removes, wounded });
    await prepared.afterKill?.();
    // A removal that had come far enough needs no second one.
    if (removes === undefined || desk.kept.has(removes)) await desk.complete(name, again);
  }
  await desk.takeStock(removes);
  await prepared.afterwards?.();
}
