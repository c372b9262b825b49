import { HoldfastError } from '../../../model/errors.ts';
import { parseLsn } from './lsn.ts';

/** Where one timeline ended and the next began. */
export interface TimelineSwitch {
  readonly parent: number;
  /** The parent's WAL counts before this position. */
  readonly switchLsn: bigint;
}

/** Of a `.history` file: all ancestors, the oldest first. Fails as `source-failed` for what is none. */
export function parseTimelineHistory(text: string, what: string): TimelineSwitch[] {
  const switches: TimelineSwitch[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const [, parent, lsn] = /^\s*(\d{1,10})\s+([0-9A-F]+\/[0-9A-F]+)/i.exec(line) ?? [];
    if (parent === undefined || lsn === undefined) throw noHistory(what, line);
    const found = { parent: Number(parent), switchLsn: parseLsn(lsn) };
    if (switches.some(({ parent: earlier }) => earlier >= found.parent)) throw noHistory(what, line);
    switches.push(found);
  }
  return switches;
}

function noHistory(what: string, line: string): HoldfastError {
  return new HoldfastError('source-failed', `${what} is no timeline history: a line of it is ${JSON.stringify(line.slice(0, 80))}, wanted "TIMELINE LSN reason" with ascending timelines.`, { nextStep: 'Look at the file; PostgreSQL writes one into pg_wal whenever a server is promoted.' });
}
