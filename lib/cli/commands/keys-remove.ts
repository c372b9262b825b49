import { listSlots } from '../../keyring/open-slots.ts';
import { executeRemoval, planRemoval } from '../../keyring/removal.ts';
import type { RemovalPlan } from '../../keyring/removal.ts';
import { display, fromText } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { listOf, withVault } from '../command.ts';
import { confirm } from '../confirm.ts';
import type { ExitCode } from '../exit-codes.ts';
import { isStack } from '../runtime.ts';
import { tableLines } from '../table.ts';
import { counted } from '../words.ts';

const VERSIONS = 'In a bucket with versions or Object Lock a removed slot stays as an older version, which whoever may read versions still gets, until it is deleted there or its lock has ended.';

export async function run(context: CommandContext, [ids]: CommandArguments): Promise<ExitCode> {
  const { runtime, options, output } = context;
  if (isStack(runtime)) throw new HoldfastError('unsupported', 'Slots of a stack\'s vault cannot be removed: its bucket lets nobody delete them, and keeps versions.', { nextStep: 'Run `holdfast keys rotate` and leave the slot out: new backups are closed to its key then.' });
  const isInBucket = (await runtime.chooseVault(options)).s3 !== undefined;
  return withVault(context, async ({ repository, opened, directory }) => {
    const { store, config, keys } = repository;
    const planned = planRemoval({ keys: keys.keys, opened, listed: await listSlots(store, config.repository), wanted: listOf(ids) });
    const plan = isInBucket ? { ...planned, warnings: [...planned.warnings, VERSIONS] } : planned;
    const isDryRun = options['dryRun'] === true;
    show(context, plan, isDryRun);
    if (plan.refusal) throw new HoldfastError('refused', plan.refusal.reason, { nextStep: plan.refusal.nextStep });
    if (isDryRun) return 0;
    await confirm(context, `${counted(plan.removals.length, 'key slot')} will be removed from ${directory}.`, []);
    await executeRemoval(store, plan, config.repository);
    output.result({ type: 'keys-removed', slots: plan.removals.map(({ name }) => name) }, () => `Removed ${counted(plan.removals.length, 'key slot')}.`);
    return 0;
  });
}

/** The table first: who sees a refusal, or is asked, must see on what it is based. */
function show({ output }: CommandContext, { removals, warnings }: RemovalPlan, isDryRun: boolean): void {
  output.result({ type: 'keys-remove-plan', removals, warnings, dryRun: isDryRun }, () => [
    ...tableLines([{ head: 'REMOVE' }, { head: 'KEY', align: 'right' }, { head: 'KIND' }, { head: 'LABEL' }, { head: 'OPENS' }], removals.map(({ name, keyNumber, kind, label, opens }) => [name.slice(name.lastIndexOf('/') + 1, -'.json'.length), String(keyNumber), kind, display(fromText(label)), opens]), (head) => output.paint('dim', head)),
    ...warnings,
  ]);
}
