import { display, toBytes } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { findVersions } from '../../recovery/find-versions.ts';
import type { FoundVersion, SearchResult, SearchedBackup } from '../../recovery/find-versions.ts';
import { selectNames } from '../../recovery/selection.ts';
import { ENTRY, isSnapshotFile } from '../../repository/index.ts';
import type { Entry } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { listOf, withVault } from '../command.ts';
import { TYPE_NAMES, hexOf, isoTime, modifiedAt } from '../entry-words.ts';
import type { ExitCode } from '../exit-codes.ts';
import { worstOf } from '../exit-codes.ts';
import { listPlan, noBackupOf } from '../listed-backups.ts';
import { parseMoment } from '../moment.ts';
import { planNames } from '../plan-names.ts';
import { Progress } from '../progress.ts';
import type { Vault } from '../runtime.ts';
import { tableLines } from '../table.ts';
import { bringUpToDate } from '../up-to-date.ts';
import { bytesInWords, counted, numberInWords, timeInWords } from '../words.ts';

/** Versions that people see without --all. */
const SHOWN = 500;

export async function run(context: CommandContext, [given]: CommandArguments): Promise<ExitCode> {
  const { surroundings, options, output } = context;
  const patterns = listOf(given);
  const selection = selectNames(patterns);
  const accepts = timeFilter(context);
  return withVault(context, async (vault) => {
    const { backups, exitCode } = await searchedBackups(context, vault);
    const progress = new Progress(surroundings, options['progress'] === true);
    const startedAt = surroundings.clock.now();
    const onProgress = (done: number, total: number) => progress.show({ phase: `searched ${done} of ${counted(total, 'backup')}`, etaSeconds: done === 0 ? undefined : (((surroundings.clock.now() - startedAt) / done) * (total - done)) / 1000 });
    const result = await findVersions(vault.repository, backups, { selection, accepts, signal: surroundings.signal, onProgress }).finally(() => progress.clear());
    for (const { backupId, problem } of result.unsearched) output.warn(`${backupId} could not be searched whole: ${problem}`);
    if (result.versions.length === 0 && result.unsearched.length === 0) throw nothingFound(patterns, backups.length, context);
    tell(context, result, { patterns, searched: backups.length });
    return worstOf([exitCode, result.unsearched.length > 0 ? 12 : 0]);
  });
}

/** By the time of the file, as in the backup. */
function timeFilter({ options, surroundings }: CommandContext): (entry: Entry) => boolean {
  const limit = (name: 'newer' | 'older', otherwise: number) => (typeof options[name] === 'string' ? parseMoment(options[name], `--${name}`, surroundings.clock.now()) : otherwise);
  const [newer, older] = [limit('newer', -Infinity), limit('older', Infinity)];
  return (entry) => modifiedAt(entry) >= newer && modifiedAt(entry) <= older;
}

async function searchedBackups(context: CommandContext, vault: Vault): Promise<{ readonly backups: SearchedBackup[]; readonly exitCode: ExitCode }> {
  const plan = context.options['plan'] as string | undefined;
  const { exitCode, vanished } = await bringUpToDate(context, vault);
  const catalog = await vault.catalog();
  const known = await listPlan(catalog, plan === undefined ? [undefined] : planNames(plan, context), Infinity);
  if (plan !== undefined && known.length === 0) throw await noBackupOf(plan, catalog, context);
  return { backups: known.filter(({ backupId }) => !vanished.has(backupId)), exitCode };
}

function nothingFound(patterns: readonly string[], searched: number, { options }: CommandContext): HoldfastError {
  const isTimed = options['newer'] !== undefined || options['older'] !== undefined;
  return new HoldfastError('not-found', `Nothing in ${counted(searched, 'backup')} matches ${patterns.join(' ')}${isTimed ? ' with such a time' : ''}.`, {
    nextStep: 'A pattern without a slash is looked for in every directory, one with a slash from the top of the backup; quote it, so that the shell leaves it alone.',
  });
}

function tell({ output, options }: CommandContext, { versions, unsearched }: SearchResult, { patterns, searched }: { readonly patterns: readonly string[]; readonly searched: number }): void {
  if (output.isJson) {
    for (const version of versions) output.result(versionJson(version), () => []);
    return output.result({ type: 'find', patterns, backups: searched, versions: versions.length, unsearched }, () => []);
  }
  const shown = options['all'] === true ? versions : versions.slice(0, SHOWN);
  const hasPlans = new Set(versions.map(({ planName }) => planName)).size > 1;
  const columns = [{ head: 'MODIFIED' }, { head: 'SIZE', align: 'right' }, { head: 'LAST BACKUP' }, { head: 'FROM' }, { head: 'TO' }, { head: 'BACKUPS', align: 'right' }, ...(hasPlans ? [{ head: 'PLAN' }] : []), { head: 'PATH' }] as const;
  output.result({}, () => tableLines(columns, shown.map((version) => rowOf(version, hasPlans)), (head) => output.paint('dim', head)));
  if (shown.length < versions.length) output.note(`These are ${numberInWords(shown.length)} of ${numberInWords(versions.length)}: --all shows the rest, --json too.`);
  const [first] = versions;
  if (first) output.note(`${counted(versions.length, 'version')} in ${counted(searched, 'backup')}. One comes back with \`holdfast restore ${first.last.backupId} PATH --to DIR\`.`);
}

function rowOf({ path, planName, entry, first, last, backups }: FoundVersion, hasPlans: boolean): string[] {
  const size = isSnapshotFile(entry) ? bytesInWords(entry.size) : (TYPE_NAMES[entry.type] ?? '');
  return [timeInWords(modifiedAt(entry)), size, last.backupId, timeInWords(first.finishedAt).slice(0, -3), timeInWords(last.finishedAt).slice(0, -3), numberInWords(backups), ...(hasPlans ? [planName] : []), display(path)];
}

function versionJson({ path, planName, entry, digest, first, last, backups }: FoundVersion): object {
  const seen = ({ backupId, finishedAt }: SearchedBackup) => ({ backup: backupId, finishedAt: new Date(finishedAt).toISOString() });
  return {
    type: 'version', path: display(path), pathBase64: toBytes(path).toString('base64'), plan: planName, kind: TYPE_NAMES[entry.type],
    size: isSnapshotFile(entry) ? entry.size : 0, modifiedAt: isoTime(modifiedAt(entry)), sha256: hexOf(digest),
    ...(entry.type === ENTRY.symlink && { target: display(entry.target) }), first: seen(first), last: seen(last), backups,
  };
}
