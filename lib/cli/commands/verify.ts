import { HoldfastError } from '../../model/errors.ts';
import type { CoverageReport, DamagedObject, VerifyLevel, VerifyReport } from '../../validation/verify.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import { clockInWords, coverageAdvice, coverageJson, isTooSlow, oldestInWords } from '../coverage-words.ts';
import type { ExitCode } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import type { Coverage } from '../runtime.ts';
import { findWanted } from '../wanted-backup.ts';
import { bytesInWords, counted, durationInWords } from '../words.ts';
import { damageJson, damageLines, tellingHead } from './tell-head.ts';

/** Notes that say that something is not as it should be; the others are for information. */
const ALARMING = ['rolled-back', 'freshness-unproven', 'key-slot', 'vault-full'];

export function check(options: CommandContext['options']): void {
  if (options['within'] === undefined || options['level'] === undefined) return;
  throw new HoldfastError('usage', '--within and --level do not go together: --within reads whole packs of the whole vault.', { nextStep: 'Leave one of them away.' });
}

export async function run(context: CommandContext, [id]: CommandArguments): Promise<ExitCode> {
  const { options } = context;
  const wanted = textOf(id);
  if (wanted !== '' && options['within'] !== undefined) throw new HoldfastError('usage', `--within is about the whole vault, and ${wanted} is one backup.`, { nextStep: `\`holdfast verify ${wanted} --level full\` reads all of that backup.` });
  return tellingHead(context, () => withVault(context, async (vault) => {
    const { runtime, surroundings, output } = context;
    const within = withinOf(options, wanted, vault.coverage);
    const chosen = wanted === '' ? undefined : await findWanted(context, vault, wanted);
    const backups = chosen && [chosen.name];
    const progress = new Progress(surroundings, options['progress'] === true);
    const { report, notes } = await runtime
      .verify(vault, { backups, level: (options['level'] ?? 'sample') as VerifyLevel, within, signal: surroundings.signal, onProgress: (state) => progress.show(state) })
      .finally(() => progress.clear());
    output.result(jsonOf(report, { catalog: notes, chosen: chosen?.notes ?? [] }), () => linesOf(context, report, within));
    for (const note of notes) if (!output.isJson) output.warn(note);
    if (report.damage.length > 0) return 12;
    return notes.length > 0 || isAlarming(report) ? 3 : 0;
  }));
}

/** What the command line says, else what `holdfast.yaml` wants of the vault when nothing else was asked for. */
function withinOf(options: CommandContext['options'], wanted: string, configured: Coverage | undefined): Coverage | undefined {
  const isPlain = wanted === '' && options['level'] === undefined;
  const withinDays = (options['within'] as number | undefined) ?? (isPlain ? configured?.withinDays : undefined);
  const maxDurationMs = options['maxDuration'] as number | undefined;
  if (withinDays !== undefined) return { withinDays, maxDurationMs: maxDurationMs ?? configured?.maxDurationMs };
  if (maxDurationMs === undefined) return undefined;
  throw new HoldfastError('usage', '--max-duration needs --within DAYS: a verification that is cut short proves nothing about the rest.', { nextStep: 'Add --within 30, or `coverage` to the vault in holdfast.yaml.' });
}

function isAlarming({ backups, notes, coverage }: VerifyReport): boolean {
  const isLate = coverage !== undefined && (coverage.overdue.packs > 0 || isTooSlow(coverage));
  return isLate || backups.some(({ result }) => result === 'void') || notes.some(({ code }) => ALARMING.includes(code));
}

function jsonOf(report: VerifyReport, { catalog, chosen }: { readonly catalog: readonly string[]; readonly chosen: readonly string[] }): object {
  return { type: 'verify', ...report, notes: [...chosen.map((message) => ({ code: 'passed-over', message })), ...report.notes], result: report.damage.length > 0 ? 'damaged' : 'good', damage: report.damage.map(damageJson), ...(report.coverage && { coverage: coverageJson(report.coverage) }), catalogNotes: catalog };
}

function linesOf(context: CommandContext, report: VerifyReport, within: Coverage | undefined): string[] {
  const { output } = context;
  const { packs, backups, damage, sample } = report;
  const part = sample === undefined ? '' : ` (part ${sample.part + 1} of ${sample.parts})`;
  const good = backups.filter(({ result }) => result === 'good').length;
  const verdict = damage.length === 0 ? output.paint('green', 'Good') : output.paint('red', 'Damaged');
  return [
    ...damage.flatMap((object) => damageLines(context, object)),
    ...report.notes.map(({ message }) => `note: ${message}`),
    ...backups.filter(({ result }) => result !== 'good').map(({ backup, planName, result }) => `${output.paint('red', result)} ${backup}${planName === undefined ? '' : ` of ${planName}`}`),
    ...(report.coverage === undefined
      ? [`${verdict}: ${good} of ${counted(backups.length, 'backup')} good at level ${report.level}${part}; ${counted(packs.read - packs.unneeded, 'pack')} of ${packs.needed} read in full${unneededInWords(report)}, ${bytesInWords(packs.readBytes)}, in ${durationInWords(report.durationMilliseconds)}`]
      : [`${verdict}: ${counted(packs.read - packs.unneeded, 'pack')}${unneededInWords(report)} of ${packs.listed} read in full, ${bytesInWords(packs.readBytes)}, and all that is beside them, of ${counted(backups.length, 'backup')}, in ${durationInWords(report.durationMilliseconds)}`, ...coverageLines(context, report.coverage, { maxDurationMs: within?.maxDurationMs, readBytes: packs.readBytes })]),
    ...[...new Set(damage.map(topicOf))].flatMap((topic) => NEXT_STEPS[topic] ?? []),
  ];
}

/** Read besides those that backups need. */
function unneededInWords({ packs: { unneeded }, damage }: VerifyReport): string {
  // What a list that cannot be read names is not known.
  const isKnown = damage.every(({ kind }) => kind !== 'refs' && kind !== 'snapshot');
  return unneeded === 0 ? '' : ` and ${counted(unneeded, 'pack')} that no ${isKnown ? 'backup needs' : 'readable list names'}`;
}

function topicOf({ kind, touched }: DamagedObject): DamagedObject['kind'] | 'unneeded-pack' {
  return kind === 'pack' && touched.length === 0 ? 'unneeded-pack' : kind;
}

/** What to do now, by what is damaged; the others say it themselves. */
const NEXT_STEPS: Readonly<Partial<Record<ReturnType<typeof topicOf>, string>>> = {
  pack: 'Packs: a backup whose source still has the data as it was gives it back to older ones too, or `holdfast repair packs` without a backup; then verify again.',
  'unneeded-pack': 'Packs that no backup needs: nothing to heal, and no new backup builds on them. Look for what spoilt them before it spoils others.',
  refs: 'Lists of packs: `holdfast repair packs` makes them again from the manifests.',
  index: 'Indexes: `holdfast repair index` makes them again from the packs.',
};

function coverageLines({ output }: CommandContext, coverage: CoverageReport, how: { readonly maxDurationMs: number | undefined; readonly readBytes: number }): string[] {
  const advice = coverageAdvice(coverage, how);
  const late = coverage.overdueBefore.packs;
  const caughtUp = late > 0 && coverage.overdue.packs === 0 ? [`  ${counted(late, 'pack')} had waited for longer and ${late === 1 ? 'is' : 'are'} read now`] : [];
  return [
    `Longest unread: ${oldestInWords(coverage)}`,
    `Clock ${output.paint(coverage.overdue.packs > 0 ? 'red' : 'green', clockInWords(coverage) ?? '')}`,
    ...caughtUp,
    ...(coverage.isRecorded ? [] : ['  nothing could be recorded: the next run begins at the same packs']),
    ...(advice === undefined ? [] : [`  ${advice}`]),
  ];
}
