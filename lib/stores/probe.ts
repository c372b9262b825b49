import type { Clock } from '../model/clock.ts';
import { isHoldfastError } from '../model/errors.ts';
import { newHexId } from '../model/ids.ts';
import { throwIfInterrupted } from './interruption.ts';
import { probeChecks } from './probe-checks.ts';
import type { Store } from './store.ts';

/** `warning`: usable, with what `seen` says in mind; `failed`: a vault must not be kept there. */
export type ProbeResult = 'ok' | 'warning' | 'failed';

export interface ProbeFinding {
  readonly result: ProbeResult;
  /** What was seen, and what it means. */
  readonly seen: string;
  readonly nextStep?: string;
}

export interface ProbeRow extends ProbeFinding {
  readonly check: string;
}

export interface ProbeCheck {
  /** What is asked of the store, in words. */
  readonly check: string;
  /** What follows is of no use when this one fails. */
  readonly isFirst?: boolean;
  run(): Promise<ProbeFinding>;
}

export interface ProbeOptions {
  /** Of this machine; compared with that of the store. */
  readonly clock: Pick<Clock, 'now'>;
  /** Writers of one name at once, and how often they are let loose. */
  readonly writers?: number;
  readonly rounds?: number;
  readonly signal?: AbortSignal | undefined;
  /** More checks, of one kind of store; `folder` ends in `/` and is theirs to write below. */
  readonly more?: ((folder: string) => readonly ProbeCheck[]) | undefined;
  /** Called as each check ends. */
  readonly onRow?: ((row: ProbeRow) => void) | undefined;
}

/** First component of the names that a probe writes; no part of the format, so nothing of a vault is touched. */
export const PROBE_FOLDER = 'probe';

/**
 * Tells what a store really keeps of the promises of its port, before anyone trusts it with backups: by writing, racing,
 * reading, listing and removing below a folder of its own. Give a store without retries: they would hide what it does.
 */
export async function probeStore(store: Store, options: ProbeOptions): Promise<readonly ProbeRow[]> {
  const folder = `${PROBE_FOLDER}/${newHexId()}/`;
  const rows: ProbeRow[] = [];
  let hasWritten = true;
  const tell = (row: ProbeRow) => {
    rows.push(row);
    options.onRow?.(row);
  };
  try {
    for (const check of [...probeChecks(store, { ...options, folder }), ...(options.more?.(folder) ?? [])]) {
      throwIfInterrupted(options.signal);
      const row = { check: check.check, ...(await outcomeOf(check)) };
      tell(row);
      hasWritten = !(check.isFirst && row.result === 'failed');
      if (!hasWritten) break;
    }
  } finally {
    await removeAll(store, folder, hasWritten ? tell : () => undefined);
  }
  return rows;
}

async function outcomeOf(check: ProbeCheck): Promise<ProbeFinding> {
  try {
    return await check.run();
  } catch (error) {
    if (!isHoldfastError(error) || error.code === 'interrupted') throw error;
    return { result: 'failed', seen: error.message, ...(error.nextStep !== undefined && { nextStep: error.nextStep }) };
  }
}

/** What cannot be removed is said: it is of no use, and harmless. */
async function removeAll(store: Store, folder: string, tell: (row: ProbeRow) => void): Promise<void> {
  const check = 'leaves nothing behind';
  try {
    const names = (await Array.fromAsync(store.list(folder))).map(({ name }) => name);
    for (const name of names) await store.remove(name);
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    tell({ check, result: 'warning', seen: `objects below ${folder} could not be removed: ${error.message}`, nextStep: 'They are of no use and harmless; remove them when you can.' });
  }
}
