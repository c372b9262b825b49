import type { RestoreRecord, RestoreStage } from '../../catalog/records.ts';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Output } from '../output.ts';
import { progressLine } from '../progress.ts';
import { withCatalog } from '../with-catalog.ts';
import { bytesInWords, counted, durationInWords, timeInWords } from '../words.ts';

const SHOWN = 20;
const COLOURS = { completed: 'green', warnings: 'yellow', failed: 'red', cancelled: 'yellow', running: 'bold' } as const;

export async function run(context: CommandContext): Promise<ExitCode> {
  const { output, options, surroundings } = context;
  return withCatalog(context, async (catalog) => {
    const restores = await catalog.listRestores({ limit: (options['limit'] as number | undefined) ?? SHOWN });
    if (output.isJson) for (const restore of restores) output.result(restoreJson(restore), () => []);
    else output.result({}, () => (restores.length === 0 ? 'There has been no restore.' : restores.flatMap((restore) => restoreLines(restore, surroundings.clock.now(), output))));
    return 0;
  });
}

/** What came of it, then its stages in their order (R3). */
export function restoreLines(restore: RestoreRecord, now: number, output: Pick<Output, 'paint'>): string[] {
  const { restoreId, backupId, target, state, startedAt, finishedAt, files, bytes, error, stages = [] } = restore;
  const took = durationInWords((finishedAt ?? now) - startedAt);
  const done = state === 'completed' || state === 'warnings' ? `, ${counted(files, 'file')}, ${bytesInWords(bytes)}` : '';
  return [
    `${restoreId}  ${output.paint(COLOURS[state], state)}  ${backupId} into ${target}  ${timeInWords(startedAt)}, ${finishedAt === undefined ? 'since' : 'took'} ${took}${done}`,
    ...stages.map((stage) => `  ${stage.name.padEnd(13)}  ${stageInWords(stage, now)}`),
    ...(error === undefined ? [] : [`  ${output.paint('red', error.code)} ${error.message}`]),
    ...(error?.nextStep === undefined ? [] : [`  Next: ${error.nextStep}`]),
  ];
}

function stageInWords({ state, startedAt, finishedAt, doneBytes, totalBytes }: RestoreStage, now: number): string {
  const elapsed = (finishedAt ?? now) - startedAt;
  if (state === 'running' && doneBytes !== undefined) return progressLine({ phase: 'running', bytes: doneBytes, totalBytes }, elapsed);
  return `${state}${state === 'running' ? ' for' : ' after'} ${durationInWords(elapsed)}${doneBytes === undefined ? '' : `, ${bytesInWords(doneBytes)}`}`;
}

/** For programs. */
export function restoreJson({ restoreId, backupId, startedAt, finishedAt, stages, ...rest }: RestoreRecord): object {
  const times = (record: { readonly startedAt: number; readonly finishedAt?: number }) => ({ startedAt: new Date(record.startedAt).toISOString(), ...(record.finishedAt !== undefined && { finishedAt: new Date(record.finishedAt).toISOString() }) });
  return { type: 'restore', restore: restoreId, backup: backupId, ...rest, ...times({ startedAt, ...(finishedAt !== undefined && { finishedAt }) }), stages: stages?.map((stage) => ({ ...stage, ...times(stage) })) };
}
