import { isHoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { WalServer } from '../../sources/postgres/wal/receiver.ts';

/** Up to where the server had flushed its WAL when it was asked. */
export interface AskedServer extends Pick<WalServer, 'systemId' | 'timeline' | 'lsn'> {
  readonly at: number;
  /** Which start of pg_receivewal was running then. */
  readonly attempt: number;
}

/** Told when the vault falls behind the server, and when it has caught up. */
export interface KeptUpState {
  readonly isLate: boolean;
  /** The vault holds everything that the server had then; while that was never seen, when receiving began. */
  readonly keptAt: number;
  readonly wasSeen: boolean;
  readonly limitMs: number;
}

export interface KeptUpPorts {
  readonly clock: Clock;
  /** Stores that everything is kept, and answers the name of the note. */
  readonly note: (kept: AskedServer) => Promise<string>;
  readonly forget: (names: readonly string[]) => Promise<void>;
  readonly onKeptUp: (state: KeptUpState) => void;
}

export interface KeptUpLimits {
  /** WAL that the server had so long ago and that is not known to be in the vault is told. */
  readonly warnAfterMs: number;
  readonly noteEveryMs: number;
}

const LOOK_MS = 1000;

/**
 * Knows what of the server is in the vault. Proved in two looks, so that a server which never rests can be proved, too:
 *
 *     server asked: at X ─── one look later: the slot says that X was received ─── the spool is archived ─── all up to X is kept
 *
 * by the same pg_receivewal, because what the slot says of an earlier one may lie in a spool that is gone.
 */
export class KeptUp {
  readonly #ports: KeptUpPorts;
  readonly #limits: KeptUpLimits;
  #asked: AskedServer | undefined;
  #keptAt: number;
  #wasSeen = false;
  #isLate = false;
  #notedAt = -Infinity;
  #note: string | undefined;

  constructor(ports: KeptUpPorts, limits: KeptUpLimits) {
    this.#ports = ports;
    this.#limits = limits;
    this.#keptAt = ports.clock.now();
  }

  asked(server: AskedServer): void {
    this.#asked = server;
  }

  /** Before the spool is archived: what is kept once it is, or undefined when the slot does not say so. */
  async received(attempt: number, confirmed: () => Promise<bigint | undefined>): Promise<AskedServer | undefined> {
    const asked = this.#asked;
    if (asked === undefined || asked.attempt !== attempt) return undefined;
    const position = await confirmed();
    return position !== undefined && position >= asked.lsn ? asked : undefined;
  }

  /** After the spool was archived. Fails where the vault does not take the note. */
  async kept(received: AskedServer): Promise<void> {
    const { clock, note } = this.#ports;
    if (clock.now() - this.#notedAt >= this.#limits.noteEveryMs) {
      const name = await note(received);
      this.#notedAt = clock.now();
      if (this.#note !== undefined) await this.#forget(this.#note);
      this.#note = name;
    }
    this.#keptAt = received.at;
    this.#wasSeen = true;
    this.#look();
  }

  /** Looks at the clock by itself: whatever else hangs, that is told. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#look();
      await this.#ports.clock.sleep(LOOK_MS, signal).catch(() => undefined);
    }
  }

  #look(): void {
    const { warnAfterMs } = this.#limits;
    const isLate = this.#ports.clock.now() - this.#keptAt > warnAfterMs;
    if (isLate === this.#isLate) return;
    this.#isLate = isLate;
    this.#ports.onKeptUp({ isLate, keptAt: this.#keptAt, wasSeen: this.#wasSeen, limitMs: warnAfterMs });
  }

  /** Where this may not delete, as in a stack, old notes expire or go with prune. */
  async #forget(name: string): Promise<void> {
    await this.#ports.forget([name]).catch((error: unknown) => {
      if (!isHoldfastError(error)) throw error;
    });
  }
}
