import { readLedgers } from '../../recovery/pitr/read-ledger.ts';
import type { WalLedger } from '../../recovery/pitr/read-ledger.ts';
import { jsonOfLedger, ledgerLines } from '../ledger-words.ts';
import { walPlans } from '../../recovery/pitr/wal-plans.ts';
import { HoldfastError } from '../../model/errors.ts';
import { readFacts } from '../../sources/postgres/base-backup-facts.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';

/** 3: there are gaps, or WAL that waits for a base backup, or base backups that nothing can be restored from. */
export async function run(context: CommandContext, [wanted]: CommandArguments): Promise<ExitCode> {
  const name = textOf(wanted);
  if (name === '') return withVault(context, async (vault) => show(context, vault, await walPlans(vault.repository)));
  const { vault, plan } = await context.runtime.openPlan(context.options, name);
  try {
    return await show(context, vault, [{ plan, planName: name }]);
  } finally {
    await vault.close();
  }
}

async function show({ output, surroundings }: CommandContext, { repository }: Vault, plans: readonly { readonly plan: string; readonly planName: string }[]): Promise<ExitCode> {
  const now = surroundings.clock.now();
  let isWhole = true;
  let shown = 0;
  for (const { plan, planName } of plans) {
    for (const ledger of await readLedgers(repository, plan, readFacts)) {
      shown += 1;
      output.result({ type: 'pitr-windows', plan: planName, ...jsonOfLedger(ledger) }, () => ledgerLines(planName, ledger, now));
      if (!isSound(ledger)) isWhole = false;
    }
  }
  if (shown === 0) throw new HoldfastError('not-found', 'There is no WAL and no base backup of PostgreSQL in this vault.', { nextStep: 'Set up archiving and take a base backup: docs/point-in-time.md.' });
  return isWhole ? 0 : 3;
}

function isSound({ lines, notes }: WalLedger): boolean {
  return notes.length === 0 && lines.some(({ windows }) => windows.length > 0) && lines.every(({ gaps, stranded, waiting }) => gaps.length === 0 && stranded.length === 0 && waiting === undefined);
}
