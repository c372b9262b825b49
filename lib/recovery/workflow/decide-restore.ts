import type { BackupRecord } from '../../catalog/records.ts';
import type { ResolvedRestoreTarget } from '../../config/resolved-aws.ts';
import { closestWord } from '../../config/closest-word.ts';
import { HoldfastError } from '../../model/errors.ts';
import { selectEntries } from '../selection.ts';
import type { RestoreRequest } from './restore-request.ts';

/** A target under `restore-targets`, as it was deployed. */
export interface DeclaredTarget {
  readonly name: string;
  readonly target: ResolvedRestoreTarget;
  readonly network: string;
}

/** Kinds of sources whose backups a target can take; everything that a backup holds can become files. */
const TAKES: Readonly<Record<ResolvedRestoreTarget['type'], 'anything' | readonly string[]>> = {
  postgres: ['postgres'],
  directory: 'anything',
};

/** The type of a backup of several sources; what its parts are stands in its manifest, which the task reads. */
const SET = 'set';

/** States of a backup from which nothing is restored, and what to do then. */
const UNFIT = {
  corrupted: ['damage was found in it', 'Take an older backup of the plan; `holdfast list --aws STACK` shows them. `holdfast verify` says what is damaged and what can still be restored with the CLI.'],
  expired: ['retention has removed it', 'Take another backup of the plan; `holdfast list --aws STACK` shows them.'],
} as const satisfies Partial<Record<BackupRecord['state'], readonly [string, string]>>;

/** The target must be one that somebody declared and deployed. Fails as `usage`. */
export function declaredTarget(request: RestoreRequest, targets: readonly DeclaredTarget[]): DeclaredTarget {
  const target = targets.find(({ name }) => name === request.target);
  if (target === undefined) {
    const names = targets.map(({ name }) => name);
    const closest = closestWord(request.target, names);
    throw new HoldfastError('usage', `The target ${quoted(request.target)} is not declared, wanted ${names.length === 0 ? 'one under restore-targets in holdfast.yaml, where there is none' : `one of ${names.join(', ')}`}${closest === undefined ? '' : ` (did you mean "${closest}"?)`}.`, {
      nextStep: 'Declare the target under restore-targets in holdfast.yaml and deploy, or name one that is there. Nothing was restored.',
    });
  }
  if (request.confirm !== request.target) {
    throw new HoldfastError('refused', `The restore into "${request.target}" is not confirmed: "confirm" is ${quoted(request.confirm)}, wanted ${quoted(request.target)}.`, { nextStep: 'Start a new execution whose "confirm" repeats its "target". Nothing was restored.' });
  }
  return target;
}

/** Fails as `refused` and `usage` with the reason why this backup does not go into this target. */
export function checkFitness(backup: BackupRecord, { name, target }: DeclaredTarget, { part, select }: Pick<RestoreRequest, 'part' | 'select'>): void {
  const unfit = UNFIT[backup.state as keyof typeof UNFIT];
  if (unfit !== undefined) throw new HoldfastError('refused', `The backup ${backup.backupId} of plan ${backup.planName} is ${backup.state}: ${unfit[0]}.`, { nextStep: unfit[1] });
  const takes = TAKES[target.type];
  const isSet = backup.source.type === SET;
  if (part !== undefined && !isSet) throw new HoldfastError('usage', `"part" is ${quoted(part)}, and backup ${backup.backupId} of plan ${backup.planName} is one of ${backup.source.type} alone.`, { nextStep: 'Leave "part" out. Nothing was restored.' });
  if (takes !== 'anything' && isSet && part === undefined) {
    throw new HoldfastError('refused', `The target "${name}" is of type ${target.type} and takes one part of a backup; backup ${backup.backupId} of plan ${backup.planName} is one of several: ${backup.source.description}.`, { nextStep: 'Name the part: "part" in the input, --part on the command line. Nothing was restored.' });
  }
  if (takes !== 'anything' && !isSet && !takes.includes(backup.source.type)) {
    throw new HoldfastError('refused', `The target "${name}" is of type ${target.type} and takes backups of ${takes.join(', ')}; backup ${backup.backupId} of plan ${backup.planName} holds ${backup.source.type}.`, { nextStep: 'Name a target of type directory, or a backup of a database.' });
  }
  if (takes !== 'anything' && select.length > 0) {
    throw new HoldfastError('usage', `"select" names ${select.length} patterns, and the target "${name}" is a database, which is restored whole.`, { nextStep: 'Leave "select" out, or restore into a target of type directory.' });
  }
  // Patterns that climb out of the backup or cannot be read fail here, before a task is paid for.
  selectEntries(select);
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
