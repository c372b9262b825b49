import { HoldfastError } from '../../model/errors.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { tableLines } from '../table.ts';
import { bytesInWords, numberInWords, timeInWords } from '../words.ts';
import { readBackups } from './find-backup.ts';
import type { ReadBackup } from './find-backup.ts';

/** From the manifests themselves: there is no catalog. 3 when some are not good. */
export async function run(context: CommandContext): Promise<ExitCode> {
  return withVault(context, async ({ repository }) => {
    const { output, options } = context;
    const plan = options['plan'] as string | undefined;
    const all = await readBackups(repository);
    const backups = plan === undefined ? all : all.filter((backup) => backup.plan === plan || backup.manifest?.planName === plan);
    if (plan !== undefined && backups.length === 0) throw new HoldfastError('not-found', `There is no backup of the plan ${plan}.`, { nextStep: 'Run `holdfast list` for the plans.' });
    if (output.isJson) for (const backup of backups) output.result(jsonOf(backup), () => []);
    else output.result({}, () => (backups.length === 0 ? 'There is no backup in this vault.' : tableLines([{ head: 'ID' }, { head: 'FINISHED' }, { head: 'PLAN' }, { head: 'STATE' }, { head: 'FILES', align: 'right' }, { head: 'SIZE', align: 'right' }], backups.map(rowOf), (head) => output.paint('dim', head))));
    for (const { backup, complaint } of backups) if (complaint !== undefined && !output.isJson) output.warn(`${backup}: ${complaint}`);
    return backups.some(({ complaint }) => complaint !== undefined) ? 3 : 0;
  });
}

function rowOf({ backup, plan, manifest, complaint }: ReadBackup): string[] {
  if (manifest === undefined) return [backup, '', plan, 'does not open', '', ''];
  const warned = manifest.warnings.length > 0 ? `, ${manifest.warnings.length} warning${manifest.warnings.length === 1 ? '' : 's'}` : '';
  return [backup, timeInWords(Date.parse(manifest.finishedAt)), manifest.planName, (complaint === undefined ? 'good' : 'not good') + warned, numberInWords(manifest.statistics.files), bytesInWords(manifest.statistics.bytes)];
}

function jsonOf({ backup, plan, manifest, complaint }: ReadBackup): object {
  const known = manifest && { planName: manifest.planName, kind: manifest.type, finishedAt: manifest.finishedAt, files: manifest.statistics.files, bytes: manifest.statistics.bytes, warnings: manifest.warnings.length };
  return { type: 'backup', backup, plan, ...known, state: complaint === undefined ? 'good' : manifest === undefined ? 'unreadable' : 'not-good', complaint: complaint ?? null };
}
