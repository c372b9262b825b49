import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { bytesInWords, counted, durationInWords } from '../words.ts';
import { formatLsn } from '../../sources/postgres/wal/lsn.ts';

const PARTIAL_EVERY_MS = 60_000;
/** An outage is told soon; receiving goes on during it. */
const PATIENCE_MS = 20_000;

/** A signal is how this ends well. */
export async function run({ surroundings, runtime, options, output }: CommandContext, [planName]: CommandArguments): Promise<ExitCode> {
  const plan = await runtime.openPlan(options, textOf(planName), { patienceMs: PATIENCE_MS });
  try {
    const done = await runtime.receiveWal(plan, {
      slot: options['slot'] as string | undefined,
      partialEveryMs: (options['partialEvery'] as number | undefined) ?? PARTIAL_EVERY_MS,
      signal: surroundings.signal,
      onStatus: (status) => {
        const { archivedLsn, serverLsn, behindBytes, archivedFiles } = status;
        const json = { type: 'wal-status', ...status, archivedLsn: archivedLsn && formatLsn(archivedLsn), serverLsn: formatLsn(serverLsn) };
        output.result(json, () => `${archivedLsn === undefined || behindBytes === undefined ? 'nothing kept yet' : `kept up to ${formatLsn(archivedLsn)}, ${bytesInWords(behindBytes)} behind`}; the server is at ${formatLsn(serverLsn)}; ${counted(archivedFiles, 'file')} since this began`);
      },
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
