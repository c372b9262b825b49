import { packIdOf } from '../../repository/index.ts';
import type { Store } from '../../stores/store.ts';
import type { ClockedPack } from '../../validation/coverage-clock.ts';
import { lookAtCoverage } from '../../validation/look-at-coverage.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import { clockInWords, coverageJson, oldestInWords } from '../coverage-words.ts';
import { isoTime } from '../entry-words.ts';
import { worstOf } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { pairLines, tableLines } from '../table.ts';
import { bringUpToDate } from '../up-to-date.ts';
import { bytesInWords, counted, numberInWords, ratioInWords, timeInWords } from '../words.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { output, surroundings } = context;
    const { exitCode } = await bringUpToDate(context, vault);
    const stats = await (await vault.catalog()).stats();
    const { listed, ...stored } = await measure(vault.repository.store);
    const coverage = await lookAtCoverage(vault.repository, listed, { clock: surroundings.clock, withinDays: vault.coverage?.withinDays });
    const clock = clockInWords(coverage);
    const json = { type: 'stats', vault: vault.directory, repository: vault.repository.config.repository, ...stats, plans: stats.plans.map((plan) => ({ ...plan, latestFinishedAt: isoTime(plan.latestFinishedAt) })), storedBytes: stored.bytes, storedObjects: stored.objects, packs: stored.packs, packBytes: stored.packBytes, coverage: coverageJson(coverage) };
    output.result(json, () => [
      ...pairLines([
        ['vault', vault.directory],
        ['repository', vault.repository.config.repository],
        ['backups', counted(stats.backups, 'backup')],
        ['protected', `${bytesInWords(stats.bytes)} in ${counted(stats.files, 'file')}, summed over all backups`],
        ['stored', `${bytesInWords(stored.bytes)} in ${counted(stored.objects, 'object')}, ${numberInWords(stored.packs)} of them packs`],
        ['ratio', ratioInWords(stats.bytes, stored.bytes)],
        ['unread', oldestInWords(coverage)],
        ...(clock === undefined ? [] : [['clock', clock] as const]),
      ]),
      '',
      ...tableLines(
        [{ head: 'PLAN' }, { head: 'BACKUPS', align: 'right' }, { head: 'NEWEST' }, { head: 'SIZE IN ALL', align: 'right' }, { head: 'ADDED IN ALL', align: 'right' }],
        stats.plans.map((plan) => [plan.planName, numberInWords(plan.backups), timeInWords(plan.latestFinishedAt), bytesInWords(plan.bytes), bytesInWords(plan.addedBytes)]),
        (head) => output.paint('dim', head),
      ),
    ]);
    const isLate = (coverage.overdue?.packs ?? 0) > 0;
    if (isLate) output.warn('The coverage clock is overdue: run `holdfast verify`, which reads what was not read for longest.');
    return worstOf([exitCode, isLate ? 3 : 0]);
  });
}

interface Measured {
  bytes: number;
  objects: number;
  packs: number;
  packBytes: number;
  readonly listed: ClockedPack[];
}

async function measure(store: Pick<Store, 'list'>): Promise<Measured> {
  const sums: Measured = { bytes: 0, objects: 0, packs: 0, packBytes: 0, listed: [] };
  const packs = new Set<string>();
  const damaged = new Set<string>();
  for await (const object of store.list('')) {
    const { name, size } = object;
    sums.objects++;
    sums.bytes += size;
    if (name.startsWith('damaged/')) damaged.add(packIdOf(name));
    if (!name.startsWith('packs/')) continue;
    packs.add(packIdOf(name));
    sums.packBytes += size;
    sums.listed.push(object);
  }
  // What is known to be damaged is told by `verify`, and needs no second reading.
  return { ...sums, packs: packs.size, listed: sums.listed.filter(({ name }) => !damaged.has(packIdOf(name))) };
}
