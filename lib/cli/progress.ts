import type { Clock } from '../model/clock.ts';
import type { Surroundings } from './runtime.ts';
import { bytesInWords, counted, durationInWords } from './words.ts';

export interface ProgressState {
  readonly phase: string;
  readonly files?: number | undefined;
  /** Absent: there are none to tell of, as of something that waits. */
  readonly bytes?: number | undefined;
  readonly totalBytes?: number | undefined;
  /** Where the work itself knows better than the rate of the bytes. */
  readonly etaSeconds?: number | undefined;
}

const TERMINAL_MILLISECONDS = 100;
const LINE_MILLISECONDS = 1000;
/** Of terminals that do not know their width: some say 0. */
const DEFAULT_COLUMNS = 80;

/**
 * One line that is rewritten on a terminal; whole lines, one a second, when `--progress` was asked for without one;
 * nothing otherwise. On standard error, so that results stay clean.
 */
export class Progress {
  readonly #stream: Surroundings['stderr'];
  readonly #clock: Pick<Clock, 'now'>;
  readonly #startedAt: number;
  readonly #isTerminal: boolean;
  /** Whether anybody sees it: what takes asking is not asked for nobody. */
  readonly isShown: boolean;
  #shownAt = 0;
  #isDrawn = false;

  constructor(surroundings: Pick<Surroundings, 'stderr' | 'clock'>, isAsked: boolean) {
    this.#stream = surroundings.stderr;
    this.#clock = surroundings.clock;
    this.#startedAt = surroundings.clock.now();
    this.#isTerminal = surroundings.stderr.isTTY === true;
    this.isShown = this.#isTerminal || isAsked;
  }

  readonly show = (state: ProgressState): void => {
    if (!this.isShown) return;
    const now = this.#clock.now();
    if (now - this.#shownAt < (this.#isTerminal ? TERMINAL_MILLISECONDS : LINE_MILLISECONDS)) return;
    this.#shownAt = now;
    const line = progressLine(state, now - this.#startedAt);
    if (this.#isTerminal) this.#stream.write(`\r\x1b[2K${line.slice(0, (this.#stream.columns || DEFAULT_COLUMNS) - 1)}`);
    else this.#stream.write(`${line}\n`);
    this.#isDrawn = true;
  };

  /** Before anything else is written. */
  clear(): void {
    if (this.#isTerminal && this.#isDrawn) this.#stream.write('\r\x1b[2K');
    this.#isDrawn = false;
  }
}

export function progressLine({ phase, files, bytes, totalBytes, etaSeconds }: ProgressState, elapsedMilliseconds: number): string {
  const parts = [phase, ...(files === undefined ? [] : [counted(files, 'file')])];
  if (bytes === undefined) return [...parts, ...(etaSeconds === undefined ? [] : [`ETA ${durationInWords(etaSeconds * 1000)}`])].join('  ');
  const isTotalKnown = totalBytes !== undefined && totalBytes > 0;
  parts.push(isTotalKnown ? `${bytesInWords(bytes)} of ${bytesInWords(Math.max(totalBytes, bytes))}` : bytesInWords(bytes));
  if (isTotalKnown) parts.push(`${Math.min(100, Math.floor((bytes / totalBytes) * 100))} %`);
  const eta = etaSeconds ?? (isTotalKnown && bytes > 0 && elapsedMilliseconds > 1000 ? Math.max(0, ((totalBytes - bytes) / bytes) * (elapsedMilliseconds / 1000)) : undefined);
  if (eta !== undefined) parts.push(`ETA ${durationInWords(eta * 1000)}`);
  return parts.join('  ');
}
