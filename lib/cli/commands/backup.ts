import type { CommandArguments, CommandContext } from '../command.ts';
import { listOf } from '../command.ts';
import { EXIT_CODE_OF, worstOf } from '../exit-codes.ts';
import type { ExitCode } from '../exit-codes.ts';
import { hookInWords } from '../../backup/hook-report.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { names } from '../../repository/index.ts';
import { partLines } from '../part-words.ts';
import { Progress } from '../progress.ts';
import { isStack } from '../runtime.ts';
import type { BackupOrder, BackupRequest, BackupResult, Vault } from '../runtime.ts';
import { bytesInWords, counted, durationInWords, ratioInWords, warningInWords } from '../words.ts';
import { keepKeyLines } from './keep-key.ts';
import { NOT_YET } from './not-yet.ts';

const SHOWN_WARNINGS = 40;

export async function run(context: CommandContext, [targets]: CommandArguments): Promise<ExitCode> {
  if (isStack(context.runtime)) return (await import('./stack-backup.ts')).backUpInStack(context, context.runtime, listOf(targets));
  const orders = await context.runtime.planOrders(requestOf(context.options, listOf(targets)));
  if (orders.some(({ policy }) => isUnkept(policy))) context.output.note(NOT_YET);
  if (orders.length === 1) return backUp(context, orders[0] as BackupOrder);
  const codes: ExitCode[] = [];
  for (const order of orders) codes.push(await backUp(context, order).catch((error: unknown) => tellAndGoOn(context, order, error)));
  return worstOf(codes);
}

function isUnkept({ frequency, retention }: BackupOrder['policy']): boolean {
  return frequency !== undefined || Object.keys(retention ?? {}).length > 0;
}

function requestOf(options: CommandContext['options'], targets: readonly string[]): BackupRequest {
  const given = options as CommandContext['options'] & { verify?: BackupRequest['verification']; minimumSize?: number; compression?: 'zstd' | 'gzip' | 'none'; level?: number };
  const { compression: algorithm, level } = given;
  return { ...(options as object), targets, verification: given.verify, minimumSizeBytes: given.minimumSize, compression: { algorithm, level } };
}

/** Of several plans one that fails does not keep the others from being backed up; a signal does. */
function tellAndGoOn({ output }: CommandContext, order: BackupOrder, error: unknown): ExitCode {
  if (!isHoldfastError(error) || error.code === 'interrupted') throw error;
  output.note(`holdfast: plan ${order.planName}: ${error.message}${error.nextStep === undefined ? '' : `\n${error.nextStep}`}`);
  return EXIT_CODE_OF[error.code];
}

async function backUp(context: CommandContext, order: BackupOrder): Promise<ExitCode> {
  const { runtime, options } = context;
  if (order.vault.isDefault && !runtime.isVaultAt(order.vault.directory)) {
    // A mistyped path as the first command leaves no vault and no key behind that somebody would have to care for.
    await runtime.checkSource(order);
    await makeDefaultVault(context, order);
  }
  const vault = await runtime.openChosen(order.vault, { uploadBytesPerSecond: options['limitUpload'] as number | undefined, stop: context.surroundings.signal });
  const progress = new Progress(context.surroundings, options['progress'] === true);
  try {
    for (const warning of vault.warnings) context.output.warn(warning);
    const result = await runtime.backup(order, vault, {
      isFull: options['full'] === true,
      threads: options['threads'] as number | undefined,
      signal: context.surroundings.signal,
      onProgress: (state) => progress.show(state),
      onHook: (report) => {
        progress.clear();
        context.output.note(`${order.planName}: ${hookInWords(report)}`);
      },
    });
    progress.clear();
    return await finish(context, { order, vault, result, progress });
  } finally {
    progress.clear();
    await vault.close();
  }
}

async function makeDefaultVault({ runtime, output }: CommandContext, order: BackupOrder): Promise<void> {
  const made = await runtime.makeVault(order.vault);
  output.note(`Made a vault at ${made.directory}.`);
  for (const line of [...keepKeyLines(made.newKeyFile), ...made.notes]) output.note(line);
}

interface Finished {
  readonly order: BackupOrder;
  readonly vault: Vault;
  readonly result: BackupResult;
  readonly progress: Progress;
}

/** Reads back what the policy wants (requirement V4) before anything is called done. */
async function finish(context: CommandContext, { order, vault, result, progress }: Finished): Promise<ExitCode> {
  const { output } = context;
  const { manifest, statistics } = result;
  const verification = await verifyNew(context, { order, vault, result, progress });
  const state = verification === 'corrupted' ? 'corrupted' : manifest.warnings.length > 0 ? 'warnings' : 'completed';
  const json = { type: 'backup', backup: manifest.backup, plan: manifest.planName, planId: manifest.plan, run: manifest.run, sequence: manifest.sequence, state, verification, startedAt: manifest.startedAt, finishedAt: manifest.finishedAt, vault: vault.directory, statistics, evidence: result.evidence, warnings: manifest.warnings, notes: result.notes, ...(result.hooks.length > 0 && { hooks: result.hooks }) };
  output.result(json, () => summary(context, result, verification));
  if (!output.isJson) tellWarnings(context, result);
  for (const hint of result.hints) output.note(hint);
  if (verification === 'corrupted') throw new HoldfastError('damaged', `The backup ${manifest.backup} was stored and does not read back as it was written.`, { nextStep: `Check the disk of ${vault.directory}, then run \`holdfast verify ${manifest.backup} --level full\`.` });
  return manifest.warnings.length > 0 || result.notes.length > 0 ? 3 : 0;
}

async function verifyNew(context: CommandContext, { order, vault, result, progress }: Finished): Promise<'none' | 'good' | 'corrupted'> {
  const level = order.policy.verification;
  if (level === 'none') return 'none';
  const name = names.snapshot(result.manifest.plan, result.manifest.backup);
  const { report } = await context.runtime.verify(vault, { backups: [name], level, signal: context.surroundings.signal, onProgress: (state) => progress.show({ ...state, phase: 'verifying' }) });
  progress.clear();
  return report.backups.every((backup) => backup.result === 'good') ? 'good' : 'corrupted';
}

function summary({ output }: CommandContext, { manifest, statistics, evidence }: BackupResult, verification: string): string[] {
  const { files, newFiles, changedFiles, unchangedFiles, removedEntries, bytes, readBytes, newBytes, storedBytes, durationMilliseconds } = statistics;
  const saved = newBytes < storedBytes * 1.05 ? '' : ` (${ratioInWords(newBytes, storedBytes)})`;
  const changes = [counted(newFiles, 'new file'), `${changedFiles} changed`, `${unchangedFiles} unchanged`, `${removedEntries} removed`].join(', ');
  return [
    `${output.paint('green', 'Backup')} ${output.paint('bold', manifest.backup)} of ${manifest.planName}`,
    `  ${counted(files, 'file')}, ${bytesInWords(bytes)}: ${changes}`,
    `  read ${bytesInWords(readBytes)}, new ${bytesInWords(newBytes)}, stored ${bytesInWords(storedBytes)}${saved}, in ${durationInWords(durationMilliseconds)}`,
    ...partLines(manifest),
    ...(evidence.length > 0 ? [`  ${evidence.join(manifest.parts ? '; ' : ', ')}`] : []),
    ...(verification === 'good' ? ['  verified: what was stored was read back'] : []),
  ];
}

function tellWarnings({ output }: CommandContext, { manifest, notes }: BackupResult): void {
  for (const warning of manifest.warnings.slice(0, SHOWN_WARNINGS)) output.warn(warningInWords(warning));
  const more = manifest.warnings.length - SHOWN_WARNINGS;
  if (more > 0) output.warn(`and ${more} more: \`holdfast show ${manifest.backup} --json\` has all.`);
  for (const note of notes) output.warn(note);
}
