import { packIdOf } from '../../repository/index.ts';
import type { Store } from '../../stores/store.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { pairLines, tableLines } from '../table.ts';
import { bringUpToDate } from '../up-to-date.ts';
import { bytesInWords, counted, numberInWords, ratioInWords, timeInWords } from '../words.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { output } = context;
    const { exitCode } = await bringUpToDate(context, vault);
    const stats = await (await vault.catalog()).stats();
    const stored = await measure(vault.repository.store);
    const json = { type: 'stats', vault: vault.directory, repository: vault.repository.config.repository, ...stats, storedBytes: stored.bytes, storedObjects: stored.objects, packs: stored.packs, packBytes: stored.packBytes };
    output.result(json, () => [
      ...pairLines([
        ['vault', vault.directory],
        ['repository', vault.repository.config.repository],
        ['backups', counted(stats.backups, 'backup')],
        ['protected', `${bytesInWords(stats.bytes)} in ${counted(stats.files, 'file')}, summed over all backups`],
        ['stored', `${bytesInWords(stored.bytes)} in ${counted(stored.objects, 'object')}, ${numberInWords(stored.packs)} of them packs`],
        ['ratio', ratioInWords(stats.bytes, stored.bytes)],
      ]),
      '',
      ...tableLines(
        [{ head: 'PLAN' }, { head: 'BACKUPS', align: 'right' }, { head: 'NEWEST' }, { head: 'SIZE IN ALL', align: 'right' }, { head: 'ADDED IN ALL', align: 'right' }],
        stats.plans.map((plan) => [plan.planName, numberInWords(plan.backups), timeInWords(plan.latestFinishedAt), bytesInWords(plan.bytes), bytesInWords(plan.addedBytes)]),
        (head) => output.paint('dim', head),
      ),
    ]);
    return exitCode;
  });
}

async function measure(store: Pick<Store, 'list'>): Promise<{ bytes: number; objects: number; packs: number; packBytes: number }> {
  const sums = { bytes: 0, objects: 0, packs: 0, packBytes: 0 };
  const packs = new Set<string>();
  for await (const { name, size } of store.list('')) {
    sums.objects++;
    sums.bytes += size;
    if (!name.startsWith('packs/')) continue;
    packs.add(packIdOf(name));
    sums.packBytes += size;
  }
  return { ...sums, packs: packs.size };
}
