import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { executePrune } from '../../lib/retention/prune.ts';
import { planPrune } from '../../lib/retention/prune-plan.ts';
import { readPruneState } from '../../lib/retention/prune-state.ts';

// `prune` in a process of its own, on a directory whose clock is ahead: nobody can set the ctime by which it judges. Every
// change waits a little, so that a kill finds it at work. Arguments: vault, hours ahead, milliseconds for each change.
const [vault = '', hours = '0', delay = '0'] = process.argv.slice(2);
const directory = openDirectoryStore(vault);
const slow = wrapStore(directory, {
  call: async ({ operation }, run) => {
    if (operation === 'put' || operation === 'remove') await systemClock.sleep(Number(delay));
    return run();
  },
});
const store: Store = { ...slow, now: async () => (await directory.now()) + Number(hours) * 3_600_000 };
const plan = planPrune(await readPruneState(store));
process.stdout.write('planned\n');
const { deletedPacks, marked, expired } = await executePrune(plan, store, { clock: systemClock, concurrency: 1 });
process.stdout.write(`${JSON.stringify({ deletedPacks, marked, expired })}\n`);
