import type { LeasedRunEvent } from '../backup/perform-leased-run.ts';

/** The slice of a structured logger that is used here. */
export interface EventLogger {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** One line of the log for each event of a run. */
export function logEvent(log: EventLogger, event: LeasedRunEvent): void {
  switch (event.event) {
    case 'claimed':
      return log.info({ event: event.event, run: event.run.runId, plan: event.run.planName, vault: event.run.vault, fence: event.run.fence }, 'run claimed');
    case 'not-ours':
      return log.info({ event: event.event }, 'the run is not there to be claimed: another task has it, or it has ended; nothing to do');
    case 'heartbeat-failed':
      return log.warn({ event: event.event, code: event.error.code }, event.error.message);
    case 'ended':
      return log.info({ event: event.event, state: event.run.state }, `run ended: ${event.run.state}`);
    case 'end-not-recorded':
      return log.warn({ event: event.event }, `the end of the run was not recorded: ${event.reason}`);
  }
}
