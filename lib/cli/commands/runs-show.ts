import type { HealingNote } from '../../catalog/ledger-records.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { findRun, seenNow } from '../known-runs.ts';
import { runJson, standing, tookMilliseconds, triggerInWords, waitedMilliseconds } from '../run-words.ts';
import type { KnownRun, Seen } from '../run-words.ts';
import type { StackRuntime, TaskLog } from '../runtime.ts';
import { pairLines } from '../table.ts';
import { withCatalog } from '../with-catalog.ts';
import { durationInWords, timeInWords } from '../words.ts';

/** These belong to the list, whose command stands before this one on the line and takes them too. */
const OF_THE_LIST = ['plan', 'state', 'limit'];

export function check(options: CommandContext['options']): void {
  const stranger = OF_THE_LIST.find((name) => options[name] !== undefined);
  if (stranger !== undefined) throw new HoldfastError('usage', `--${stranger} cannot be used with \`runs show\`, which shows one run.`, { nextStep: 'Leave it out, or leave out `show` and the id.' });
}

export async function run(context: CommandContext, [id]: CommandArguments): Promise<ExitCode> {
  return withCatalog(context, async (catalog, stack) => {
    const found = await findRun(catalog, stack, textOf(id));
    const seen = await seenNow([found], stack, context.surroundings.clock.now());
    const trigger = await triggerOf(found, stack);
    const log = stack === undefined || found.taskArn === undefined ? undefined : await stack.taskLog(found.planName, found.taskArn);
    context.output.result({ ...runJson(found, seen), ...(trigger !== undefined && { trigger }), order: orderOf(found), log }, () => showLines(found, seen, { trigger, log }));
    return 0;
  });
}

/** The occurrence knows whether it was caught up; it is forgotten after a while, its name in the run is not. */
async function triggerOf({ occurrence }: KnownRun, stack: StackRuntime | undefined): Promise<string | undefined> {
  return stack === undefined || occurrence === undefined ? undefined : (await (await stack.ledger()).getOccurrence(occurrence))?.trigger;
}

function orderOf({ order }: KnownRun): unknown {
  return order === undefined ? undefined : (JSON.parse(order) as unknown);
}

const HEALING: Readonly<Record<HealingNote['state'], string>> = { due: 'healing is due', healed: 'healed', open: 'not healed' };

/** Everything of one run; what it does not have is left out. */
export function showLines(found: KnownRun, seen: Seen, { trigger, log }: { readonly trigger?: string | undefined; readonly log?: TaskLog | undefined }): string[] {
  const { error, healing, startedAt, finishedAt } = found;
  const took = tookMilliseconds(found, seen.now);
  const lines: readonly (readonly [string, string | undefined])[] = [
    ['run', found.runId],
    ['plan', `${found.planName} (${found.planId})`],
    ['vault', found.vault],
    ['trigger', triggerInWords(found, trigger)],
    ['occurrence', found.occurrence],
    ['state', found.state],
    ['now', standing(found, seen)],
    ['queued', timeInWords(found.queuedAt)],
    ['started', startedAt === undefined ? undefined : `${timeInWords(startedAt)}, after ${durationInWords(waitedMilliseconds(found, seen.now))}`],
    ['finished', finishedAt === undefined ? undefined : `${timeInWords(finishedAt)}${took === undefined ? ', never started' : `, after ${durationInWords(took)}`}`],
    ['stopped at', finishedAt === undefined && found.stopBy !== undefined ? `${timeInWords(found.stopBy)}, when it is still at work` : undefined],
    ['refused', found.attempts === undefined || found.attempts === 0 ? undefined : `${found.attempts} times by ECS`],
    ['backup', found.backupId],
    ['older backups', healing === undefined ? undefined : `${HEALING[healing.state]}: ${healing.message}`],
    ['error', error === undefined ? undefined : `${error.code}: ${error.message}`],
    ['next step', error?.nextStep ?? healing?.nextStep],
    ['host', found.processId === undefined ? found.host : `${found.host}, process ${found.processId}`],
    ['task', found.taskArn ?? (found.vault === undefined ? undefined : 'none was started')],
    ['configuration', found.configHash],
    ...logPairs(log),
  ];
  return pairLines(lines.filter((line): line is readonly [string, string] => line[1] !== undefined));
}

function logPairs(log: TaskLog | undefined): (readonly [string, string])[] {
  if (log === undefined) return [];
  const { logGroup, logStream, problem } = log;
  if (logGroup === undefined) return [['log stream', logStream], ['log group', `not known: ${problem ?? ''}`]];
  return [['log group', logGroup], ['log stream', logStream], ['read it', `aws logs get-log-events --log-group-name ${logGroup} --log-stream-name ${logStream} --start-from-head --query 'events[].[message]' --output text`]];
}
