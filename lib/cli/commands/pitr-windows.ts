import { readLedgers } from '../../recovery/pitr/read-ledger.ts';
import type { WalLedger } from '../../recovery/pitr/read-ledger.ts';
import { jsonOfAge, jsonOfLedger, ageLine, ledgerLines } from '../ledger-words.ts';
import { walAge } from '../../recovery/pitr/wal-age.ts';
import { walPlans } from '../../recovery/pitr/wal-plans.ts';
import { HoldfastError } from '../../model/errors.ts';
import { readFacts } from '../../sources/postgres/base-backup-facts.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault, WatchedPlan } from '../runtime.ts';

/** 3: two timelines went on beside each other, or there are gaps, or WAL that waits for a base backup, or base backups that nothing can be restored from, or the newest WAL is too old. */
export async function run(context: CommandContext, [wanted]: CommandArguments): Promise<ExitCode> {
  const name = textOf(wanted);
  if (name === '') return withVault(context, async (vault) => show(context, vault, await everyPlan(context, vault)));
  const opened = await context.runtime.openPlan(context.options, name);
  try {
    return await show(context, opened.vault, [opened]);
  } finally {
    await opened.vault.close();
  }
}

/** Those with something in the vault, and those of holdfast.yaml that should have. */
async function everyPlan({ runtime, options }: CommandContext, vault: Vault): Promise<WatchedPlan[]> {
  const watched = await runtime.watchedPlans(options, vault);
  const found = await walPlans(vault.repository);
  const isFound = ({ plan }: WatchedPlan) => found.some((one) => one.plan === plan);
  return [...found.map((one) => ({ ...one, ...watched.find(({ plan }) => plan === one.plan) })), ...watched.filter((one) => !isFound(one))];
}

async function show(context: CommandContext, vault: Vault, plans: readonly WatchedPlan[]): Promise<ExitCode> {
  let isWhole = true;
  let shown = 0;
  for (const plan of plans) {
    const ledgers = await readLedgers(vault.repository, plan.plan, readFacts);
    showLedgers(context, plan, ledgers);
    if (!ledgers.every(isSound)) isWhole = false;
    const maxAgeMs = (context.options['maxAge'] as number | undefined) ?? plan.walFreshnessMs;
    if (maxAgeMs !== undefined && (await isLate(context, vault, { plan, ledgers, maxAgeMs }))) isWhole = false;
    shown += maxAgeMs === undefined ? ledgers.length : 1;
  }
  if (shown === 0) throw new HoldfastError('not-found', 'There is no WAL and no base backup of PostgreSQL in this vault.', { nextStep: 'Let the server archive (`holdfast wal-archive` or `holdfast wal-receive`, docs/point-in-time.md) and take a base backup: `holdfast backup PLAN` of a source with `mode: physical`.' });
  return isWhole ? 0 : 3;
}

function showLedgers({ output, surroundings }: CommandContext, { planName }: WatchedPlan, ledgers: readonly WalLedger[]): void {
  const now = surroundings.clock.now();
  for (const ledger of ledgers) output.result({ type: 'pitr-windows', plan: planName, ...jsonOfLedger(ledger) }, () => ledgerLines(planName, ledger, now));
}

interface Watched {
  readonly plan: WatchedPlan;
  readonly ledgers: readonly WalLedger[];
  readonly maxAgeMs: number;
}

async function isLate({ output }: CommandContext, { repository }: Vault, { plan: { plan, planName }, ledgers, maxAgeMs }: Watched): Promise<boolean> {
  const age = await walAge(repository, plan, ledgers, maxAgeMs);
  output.result({ type: 'wal-age', plan: planName, ...jsonOfAge(age) }, () => ageLine(planName, age));
  return age.isLate;
}

function isSound({ lines, divergences, notes }: WalLedger): boolean {
  return notes.length === 0 && divergences.length === 0 && lines.some(({ windows }) => windows.length > 0) && lines.every(({ gaps, stranded, waiting }) => gaps.length === 0 && stranded.length === 0 && waiting === undefined);
}
