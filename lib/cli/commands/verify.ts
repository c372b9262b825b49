import { display } from '../../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { CONFIG_NAME } from '../../repository/index.ts';
import type { DamagedObject, VerifyLevel, VerifyReport } from '../../validation/verify.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import { bytesInWords, counted, durationInWords } from '../words.ts';

/** Notes that say that something is not as it should be; the others are for information. */
const ALARMING = ['rolled-back', 'freshness-unproven', 'key-slot', 'vault-full'];

export async function run(context: CommandContext, [id]: CommandArguments): Promise<ExitCode> {
  try {
    return await withVault(context, async (vault) => {
      const { runtime, surroundings, options, output } = context;
      const wanted = textOf(id);
      const backups = wanted === '' ? undefined : [(await runtime.findBackup(vault, wanted)).name];
      const progress = new Progress(surroundings, options['progress'] === true);
      const { report, notes } = await runtime
        .verify(vault, { backups, level: options['level'] as VerifyLevel, signal: surroundings.signal, onProgress: (state) => progress.show(state) })
        .finally(() => progress.clear());
      output.result(jsonOf(report, notes), () => linesOf(context, report));
      for (const note of notes) if (!output.isJson) output.warn(note);
      if (report.damage.length > 0) return 12;
      return notes.length > 0 || report.backups.some(({ result }) => result === 'void') || report.notes.some(({ code }) => ALARMING.includes(code)) ? 3 : 0;
    });
  } catch (error) {
    if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'vault-not-found') || isHoldfastError(error, 'wrong-key')) await tellHead(context, error);
    throw error;
  }
}

/** When a vault does not open, what it is opened with is looked at piece by piece; the error itself follows. */
async function tellHead(context: CommandContext, cause: HoldfastError): Promise<void> {
  const head = await context.runtime.examineVault(context.options).catch((error: unknown) => {
    if (isHoldfastError(error)) return undefined;
    throw error;
  });
  if (head === undefined || head.damage.length === 0) return;
  const { damage, rebuiltConfig } = head;
  context.output.result({ type: 'verify-head', damage: damage.map(damageJson), rebuiltConfig: rebuiltConfig ?? null }, () => damage.flatMap((object) => damageLines(context, object)));
  if (rebuiltConfig === undefined || cause.code === 'wrong-key') return;
  throw new HoldfastError('damaged', `${CONFIG_NAME} is missing or damaged; the key slots say what it should be.`, { nextStep: `Put it back from a copy of the vault, or write this line into it: ${JSON.stringify(rebuiltConfig)}`, cause });
}

function jsonOf(report: VerifyReport, notes: readonly string[]): object {
  return { type: 'verify', ...report, result: report.damage.length > 0 ? 'damaged' : 'good', damage: report.damage.map(damageJson), catalogNotes: notes };
}

function damageJson(object: DamagedObject): object {
  const touched = object.touched.map((touch) => ({ ...touch, examples: touch.examples.map(display), ranges: touch.ranges.map(({ from, to }) => ({ from: display(from), to: to === undefined ? null : display(to) })) }));
  return { ...object, touched };
}

function linesOf(context: CommandContext, report: VerifyReport): string[] {
  const { output } = context;
  const { packs, backups, damage, sample } = report;
  const part = sample === undefined ? '' : ` (part ${sample.part + 1} of ${sample.parts})`;
  const good = backups.filter(({ result }) => result === 'good').length;
  const verdict = damage.length === 0 ? output.paint('green', 'Good') : output.paint('red', 'Damaged');
  return [
    ...damage.flatMap((object) => damageLines(context, object)),
    ...report.notes.map(({ message }) => `note: ${message}`),
    ...backups.filter(({ result }) => result !== 'good').map(({ backup, planName, result }) => `${output.paint('red', result)} ${backup}${planName === undefined ? '' : ` of ${planName}`}`),
    `${verdict}: ${good} of ${counted(backups.length, 'backup')} good at level ${report.level}${part}; ${counted(packs.read, 'pack')} of ${packs.needed} read in full, ${bytesInWords(packs.readBytes)}, in ${durationInWords(report.durationMilliseconds)}`,
  ];
}

function damageLines({ output }: CommandContext, { name, problems, lost, touched }: DamagedObject): string[] {
  const examples = touched.flatMap((touch) => touch.examples.map(display));
  return [
    `${output.paint('red', 'damaged')} ${name}: ${problems.join('; ')}`,
    `  lost: ${lost}`,
    ...touched.map(({ snapshot, entries }) => `  touches backup ${snapshot.slice(snapshot.lastIndexOf('/') + 1)}${entries > 0 ? `: ${counted(entries, 'entry', 'entries')}` : ''}`),
    ...examples.slice(0, 10).map((path) => `    ${path}`),
  ];
}
