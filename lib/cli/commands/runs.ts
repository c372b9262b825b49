import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { listRuns, seenNow } from '../known-runs.ts';
import type { Output } from '../output.ts';
import { planNames } from '../plan-names.ts';
import { runJson, standing, tookMilliseconds, triggerInWords, waitedMilliseconds } from '../run-words.ts';
import type { KnownRun, Seen } from '../run-words.ts';
import { tableLines } from '../table.ts';
import { withCatalog } from '../with-catalog.ts';
import { durationInWords, timeInWords } from '../words.ts';

const SHOWN = 20;
const COLUMNS = [{ head: 'RUN' }, { head: 'PLAN' }, { head: 'TRIGGER' }, { head: 'STATE' }, { head: 'QUEUED' }, { head: 'WAITED', align: 'right' }, { head: 'TOOK', align: 'right' }, { head: 'BACKUP' }] as const;
const COLOURS = { failed: 'red', warnings: 'yellow', cancelled: 'yellow' } as const;

export async function run(context: CommandContext): Promise<ExitCode> {
  const { output, options, surroundings } = context;
  return withCatalog(context, async (catalog, stack) => {
    const plan = options['plan'] as string | undefined;
    const plans = plan === undefined ? undefined : stack === undefined ? planNames(plan, context) : [plan];
    const runs = await listRuns(catalog, stack, { plans, state: options['state'] as string | undefined, limit: (options['limit'] as number | undefined) ?? SHOWN });
    const seen = await seenNow(runs, stack, surroundings.clock.now());
    if (output.isJson) for (const found of runs) output.result(runJson(found, seen), () => []);
    else output.result({}, () => (runs.length === 0 ? 'There is no such run.' : runLines(runs, seen, output)));
    return 0;
  });
}

/** A line for each run; below it what a person has to know of one that failed, works or waits. */
export function runLines(runs: readonly KnownRun[], seen: Seen, output: Pick<Output, 'paint'>): string[] {
  const [head = '', ...lines] = tableLines(COLUMNS, runs.map((found) => rowOf(found, seen, output)), (text) => output.paint('dim', text));
  return [head, ...lines.flatMap((line, index) => [line, ...(runs[index] === undefined ? [] : below(runs[index], seen, output))])];
}

function rowOf(found: KnownRun, seen: Seen, output: Pick<Output, 'paint'>): string[] {
  const took = tookMilliseconds(found, seen.now);
  const colour = COLOURS[found.state as keyof typeof COLOURS];
  const state = colour === undefined ? found.state : output.paint(colour, found.state);
  return [found.runId, found.planName, triggerInWords(found), state, timeInWords(found.queuedAt), durationInWords(waitedMilliseconds(found, seen.now)), took === undefined ? '' : durationInWords(took), found.backupId ?? ''];
}

function below(found: KnownRun, seen: Seen, output: Pick<Output, 'paint'>): string[] {
  const { error } = found;
  const now = standing(found, seen);
  return [
    ...(now === undefined ? [] : [`  ${now}`]),
    ...(error === undefined ? [] : [`  ${output.paint('red', error.code)} ${error.message}`]),
    ...(error?.nextStep === undefined ? [] : [`  Next: ${error.nextStep}`]),
  ];
}
