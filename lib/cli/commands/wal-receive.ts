import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { bytesInWords, counted, durationInWords, timeInWords } from '../words.ts';
import type { KeptUpState } from '../../backup/wal/kept-up.ts';
import { receiveLimits } from '../../backup/wal/receive-limits.ts';
import { formatLsn } from '../../sources/postgres/wal/lsn.ts';
import { isoTime } from '../entry-words.ts';
import type { Output } from '../output.ts';

/** An outage is told soon; receiving goes on during it. */
const PATIENCE_MS = 20_000;

/** A signal is how this ends well. */
export async function run({ surroundings, runtime, options, output }: CommandContext, [planName]: CommandArguments): Promise<ExitCode> {
  const given = { partialEveryMs: options['partialEvery'] as number | undefined, warnAfterMs: options['warnAfter'] as number | undefined };
  receiveLimits(given);
  const plan = await runtime.openPlan(options, textOf(planName), { patienceMs: PATIENCE_MS });
  try {
    const done = await runtime.receiveWal(plan, {
      slot: options['slot'] as string | undefined,
      ...receiveLimits(given, plan.walFreshnessMs),
      signal: surroundings.signal,
      onStatus: (status) => {
        const { archivedLsn, serverLsn, behindBytes, archivedFiles } = status;
        const json = { type: 'wal-status', ...status, archivedLsn: archivedLsn && formatLsn(archivedLsn), serverLsn: formatLsn(serverLsn) };
        output.result(json, () => `${archivedLsn === undefined || behindBytes === undefined ? 'nothing kept yet' : `kept up to ${formatLsn(archivedLsn)}, ${bytesInWords(behindBytes)} behind`}; the server is at ${formatLsn(serverLsn)}; ${counted(archivedFiles, 'file')} since this began`);
      },
      onKeptUp: (state) => tellKeptUp(output, state, surroundings.clock.now()),
      onWarning: ({ message, nextStep }, { waitingFiles = 0, againMs }) => {
        const waiting = waitingFiles === 0 ? '' : ` ${counted(waitingFiles, 'segment')} ${waitingFiles === 1 ? 'waits' : 'wait'} in the spool.`;
        output.warn(`${message}${waiting} Tried again in ${durationInWords(againMs)}.${nextStep === undefined ? '' : ` ${nextStep}`}`);
      },
    });
    output.result({ type: 'wal-receive', ...done, archivedLsn: done.archivedLsn && formatLsn(done.archivedLsn) }, () => `Stopped. ${counted(done.archivedFiles, 'file')} kept, ${bytesInWords(done.storedBytes)} stored.`);
    return 0;
  } finally {
    await plan.vault.close();
  }
}

function tellKeptUp(output: Output, { isLate, keptAt, wasSeen, limitMs }: KeptUpState, now: number): void {
  const last = wasSeen ? `the last time it did was at ${timeInWords(keptAt)}` : 'it was never seen to since this began';
  if (isLate) output.warn(`The vault is behind: for ${durationInWords(now - keptAt)} it did not hold all that the server has, wanted ${durationInWords(limitMs)} at most; ${last}. What was warned of before this says why; where nothing was, the server writes faster than the vault takes it.`);
  if (output.isJson) output.result({ type: isLate ? 'wal-late' : 'wal-caught-up', keptAt: wasSeen ? isoTime(keptAt) : null, maxSeconds: limitMs / 1000 }, () => []);
  else if (!isLate) output.note(`The vault has caught up: it holds all that the server had at ${timeInWords(keptAt)}.`);
}
