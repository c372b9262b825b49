import { resolve } from 'node:path';
import { display, fromText } from '../../model/byte-string.ts';
import type { KeyWrapper } from '../../keyring/key-slot.ts';
import { distinctWrappers } from '../../keyring/recipient.ts';
import { listSlots } from '../../keyring/open-slots.ts';
import { executeRotation, planRotation, refuseUndecided } from '../../keyring/rotation.ts';
import type { Access, RotationPlan } from '../../keyring/rotation.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { SlotChoice, Vault } from '../runtime.ts';
import { tableLines } from '../table.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { options, output } = context;
  return withVault(context, async (vault) => {
    const { config, keys, store } = vault.repository;
    const listed = await listSlots(store, config.repository);
    const plan = await planRotation({ repository: config.repository, keys: keys.keys, listed, wrappers: await wrappersOf(context, vault), leaveOut: texts(options['leaveOut']) });
    const isDryRun = options['dryRun'] === true;
    // The table first: who sees a refusal must see on what it is based.
    if (isDryRun || plan.undecided.length > 0) show(plan, false, output);
    refuseUndecided(plan);
    if (isDryRun) return 0;
    await executeRotation(store, plan);
    show(plan, true, output);
    return 0;
  });
}

async function wrappersOf({ options, surroundings }: CommandContext, vault: Vault): Promise<KeyWrapper[]> {
  const path = (written: string) => resolve(surroundings.workingFolder, written);
  const named: SlotChoice[] = [
    ...texts(options['forKeyFile']).map((file) => ({ kind: 'key-file' as const, path: path(file) })),
    ...texts(options['forPassphraseFile']).map((file) => ({ kind: 'passphrase-file' as const, path: path(file) })),
    ...texts(options['forRecipient']).map((file) => ({ kind: 'recipient' as const, path: path(file) })),
    ...texts(options['forKmsKey']).map((keyId) => ({ kind: 'kms' as const, keyId })),
  ];
  const wrappers = [...(await vault.wrappers())];
  for (const key of named) wrappers.push(...(await vault.wrappers(key)));
  return distinctWrappers(wrappers);
}

function show({ keyNumber, access }: RotationPlan, isDone: boolean, output: CommandContext['output']): void {
  output.result({ type: 'keys-rotated', keyNumber, done: isDone, access }, () => [
    isDone ? `Added key number ${keyNumber}: backups from now on are sealed with it. Old backups stay as they are, and open to whoever opened them before.` : `Key number ${keyNumber} would be added:`,
    ...tableLines([{ head: 'KIND' }, { head: 'LABEL' }, { head: 'OPENS' }, { head: 'OLD BACKUPS' }, { head: 'NEW BACKUPS' }, { head: 'SLOT' }], access.map(accessRow), (head) => output.paint('dim', head)),
  ]);
}

function accessRow({ kind, label, opens, upTo, getsNew, slot }: Access): string[] {
  return [kind, display(fromText(label)), opens, upTo === 0 ? 'no' : 'yes', getsNew ? 'yes' : 'no', slot ?? ''];
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? (value as string[]) : [];
}
