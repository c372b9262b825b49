import { readKeyFile } from '../../lib/keyring/key-file.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { openRepository, readConfig } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { removeDeadIndexes } from '../../lib/retention/dead-indexes.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';

// `prune` in a process of its own, on a directory whose clock is ahead: nobody can set the ctime by which it judges. Every
// change waits a little, so that a kill finds it at work. Arguments: vault, hours ahead, milliseconds for each change, key file
// (without one it judges by names alone, and stops where a backup names a pack that was healed).
const [vault = '', hours = '0', delay = '0', keyFile] = process.argv.slice(2);
const directory = openDirectoryStore(vault);
const slow = wrapStore(directory, {
  call: async ({ operation }, run) => {
    if (operation === 'put' || operation === 'remove') await systemClock.sleep(Number(delay));
    return run();
  },
});
const store: Store = { ...slow, now: async () => (await directory.now()) + Number(hours) * 3_600_000 };
const repository = keyFile === undefined ? undefined : await opened(keyFile);
const plan = planPrune(await readPruneState(store, repository));
process.stdout.write('planned\n');
const budget = { clock: systemClock, concurrency: 1 };
const { deletedPacks, marked, expired } = await executePrune(plan, store, budget);
if (repository && deletedPacks > 0) await removeDeadIndexes(repository, budget);
process.stdout.write(`${JSON.stringify({ deletedPacks, marked, expired })}\n`);

async function opened(path: string): Promise<Repository> {
  const config = await readConfig(store);
  return openRepository(store, config, await openSlots(store, config.repository, await readKeyFile(path)));
}
