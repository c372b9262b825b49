import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import type { Receiver, WalServer } from '../../sources/postgres/wal/receiver.ts';
import { KeptUp } from './kept-up.ts';
import type { KeptUpLimits, KeptUpPorts } from './kept-up.ts';
import { WalShipper } from './ship-wal.ts';
import type { ShipPorts, Shipped } from './ship-wal.ts';

export interface ReceivePorts extends ShipPorts, Pick<KeptUpPorts, 'note' | 'onKeptUp'> {
  readonly clock: Clock;
  readonly random: () => number;
  /** Also proves that server and client go together. */
  readonly identify: (signal: AbortSignal) => Promise<WalServer>;
  /** Up to where the slot says that WAL was received and flushed; undefined while it says nothing. */
  readonly confirmed: (signal: AbortSignal) => Promise<bigint | undefined>;
  /** Before each start: makes it begin where the vault ends, if the spool has nothing. `failed`: what ended the start before. */
  readonly resume: (folder: string, server: WalServer, failed: HoldfastError | undefined, signal: AbortSignal) => Promise<void>;
  /** `folder` is made for it. */
  readonly receive: (folder: string) => Receiver;
  readonly onStatus: (status: WalStatus) => void;
  readonly onWarning: (problem: HoldfastError, seen: { readonly waitingFiles?: number; readonly againMs: number }) => void;
}

export interface ReceiveOptions extends KeptUpLimits {
  readonly partialEveryMs: number;
  readonly signal: AbortSignal;
  /** For what is left when somebody asks to stop; systemd waits for 90 seconds. */
  readonly lastMs?: number;
}

export interface WalStatus extends Shipped {
  readonly systemId: string;
  readonly timeline: number;
  /** Up to where the server has flushed its own WAL. */
  readonly serverLsn: bigint;
  /** Bytes of WAL that are not in the vault yet. Undefined while nothing was archived: what the vault had before is not asked. */
  readonly behindBytes: number | undefined;
}

const LOOK_MS = 250;
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 60_000;
/** What ran for this long was well: the next failure is the first one again. */
const WELL_MS = 5000;
const LAST_MS = 45_000;

/**
 * Receives WAL of a server and keeps it in the vault until `signal` stops it. Loops that do not wait for each other:
 * pg_receivewal is started again with growing pauses whenever it ends, what it has finished is archived and removed from
 * the spool, and a look at the clock tells when the vault falls behind. So an outage of the store fills the spool and nothing else, and an outage of the server ends nothing. Fails when
 * the first attempt shows something that waiting does not mend, and when the vault holds other WAL under the same names.
 */
export async function receiveWal(ports: ReceivePorts, options: ReceiveOptions): Promise<Shipped> {
  const { signal, lastMs = LAST_MS } = options;
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const shipper = new WalShipper(ports);
  const supervisor = new Supervisor(ports, either);
  const keptUp = new KeptUp(ports, options);
  const shipping = ship({ shipper, supervisor, keptUp }, ports, { ...options, signal: either });
  const outcomes = await Promise.allSettled([supervisor.run(), shipping, keptUp.watch(either)].map((loop) => loop.catch((error: unknown) => {
    stop.abort(error);
    throw error;
  })));
  // What was received until the end is kept, too; a failure of a loop is told all the same.
  const last = shipLast(shipper, ports, lastMs);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) {
    await last.catch(() => undefined);
    throw failed.reason;
  }
  return last;
}

/** Fails as `unavailable` when the time is over; what was not archived is in the spool. */
async function shipLast(shipper: WalShipper, { spool }: ReceivePorts, lastMs: number): Promise<Shipped> {
  const signal = AbortSignal.timeout(lastMs);
  try {
    return await shipper.ship(signal, { withPartials: true });
  } catch (cause) {
    if (!signal.aborted) throw cause;
    const waiting = await shipper.waiting();
    throw new HoldfastError('unavailable', `Not everything that was received could be kept within ${lastMs / 1000} s of stopping: ${waiting} finished ${waiting === 1 ? 'file waits' : 'files wait'} in ${spool.root}.`, { nextStep: 'Nothing is lost while that folder is there. Start `holdfast wal-receive` again: it begins with them.', cause });
  }
}

class Supervisor {
  readonly #ports: ReceivePorts;
  readonly #signal: AbortSignal;
  server: WalServer | undefined;
  /** Where pg_receivewal writes now. */
  folder: string | undefined;
  /** Counts the starts of pg_receivewal. */
  attempt = 0;
  #failures = 0;
  #failed: HoldfastError | undefined;

  constructor(ports: ReceivePorts, signal: AbortSignal) {
    this.#ports = ports;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      const startedAt = this.#ports.clock.now();
      const failure = await this.#attempt();
      if (this.#signal.aborted) return;
      // What nobody mends by waiting is told at once to whoever starts this; later it may be a server that is being changed.
      if (this.server === undefined && failure?.retryable === false) throw failure;
      this.#failures = this.#ports.clock.now() - startedAt > WELL_MS ? 0 : this.#failures + 1;
      await this.#pause(failure ?? new HoldfastError('source-failed', 'pg_receivewal ended by itself.', { retryable: true }));
    }
  }

  async #attempt(): Promise<HoldfastError | undefined> {
    try {
      const server = await this.#ports.identify(this.#signal);
      const folder = await this.#ports.spool.folderFor(server.systemId, server.timeline);
      await this.#ports.resume(folder, server, this.#failed, this.#signal);
      this.#failed = undefined;
      this.folder = folder;
      this.attempt += 1;
      const receiver = this.#ports.receive(this.folder);
      this.server = server;
      const stop = () => void receiver.stop();
      this.#signal.addEventListener('abort', stop, { once: true });
      if (this.#signal.aborted) stop();
      const failure = await receiver.ended;
      this.#signal.removeEventListener('abort', stop);
      this.#failed = failure;
      return failure;
    } catch (error) {
      if (this.#signal.aborted) return undefined;
      if (!isHoldfastError(error)) throw error;
      return error;
    } finally {
      this.folder = undefined;
    }
  }

  async #pause(failure: HoldfastError): Promise<void> {
    const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#failures - 1, 10));
    const againMs = Math.round(ceiling * (0.5 + this.#ports.random() / 2));
    this.#ports.onWarning(failure, { againMs });
    await this.#ports.clock.sleep(againMs, this.#signal).catch(() => undefined);
  }

  /** How far the server is now; undefined while it does not answer. */
  ask(): Promise<WalServer | undefined> {
    return this.#answer(this.#ports.identify);
  }

  /** Up to where the slot says that WAL was received; undefined while the server does not answer. */
  confirmed(): Promise<bigint | undefined> {
    return this.#answer(this.#ports.confirmed);
  }

  async #answer<T>(ask: (signal: AbortSignal) => Promise<T>): Promise<T | undefined> {
    if (this.folder === undefined) return undefined;
    return ask(this.#signal).catch((error: unknown) => {
      if (!isHoldfastError(error)) throw error;
      return undefined;
    });
  }
}

interface Loops {
  readonly shipper: WalShipper;
  readonly supervisor: Supervisor;
  readonly keptUp: KeptUp;
}

async function ship(loops: Loops, ports: ReceivePorts, { partialEveryMs, signal }: ReceiveOptions): Promise<void> {
  const { shipper } = loops;
  const { clock, onWarning } = ports;
  let partialAt = clock.now() + partialEveryMs;
  let failures = 0;
  while (!signal.aborted) {
    const isDue = clock.now() >= partialAt;
    try {
      if (isDue) await shipAll(loops, ports, signal);
      else await shipper.ship(signal, { withPartials: false, liveFolder: loops.supervisor.folder });
      failures = 0;
      if (isDue) partialAt = clock.now() + partialEveryMs;
      await clock.sleep(LOOK_MS, signal).catch(() => undefined);
    } catch (error) {
      if (signal.aborted) return;
      // Other bytes under the same name, a wrong key, a full disk of the vault: only the first two need somebody before anything can go on.
      if (!isHoldfastError(error) || !(error.retryable || WAITED_FOR.has(error.code))) throw error;
      failures += 1;
      const againMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10));
      onWarning(error, { waitingFiles: await shipper.waiting(), againMs });
      await clock.sleep(againMs, signal).catch(() => undefined);
    }
  }
}

/** With what is being written, and with a look at how far that goes. */
async function shipAll({ shipper, supervisor, keptUp }: Loops, { clock, onStatus, prove }: ReceivePorts, signal: AbortSignal): Promise<void> {
  const received = await keptUp.received(supervisor.attempt, () => supervisor.confirmed());
  const shipped = await shipper.ship(signal, { withPartials: true, liveFolder: supervisor.folder });
  // What was archived goes to the end of its page; that it goes so far at all shows that the slot does not speak of a spool that is gone.
  if (received !== undefined && shipped.archivedLsn !== undefined && shipped.archivedLsn >= received.lsn) {
    // With an empty spool nobody has looked whether the vault is there.
    await prove();
    await keptUp.kept(received);
  }
  // Before it is asked: what is started meanwhile is another one.
  const { attempt } = supervisor;
  const at = clock.now();
  const server = await supervisor.ask();
  if (server === undefined) return;
  keptUp.asked({ systemId: server.systemId, timeline: server.timeline, lsn: server.lsn, at, attempt });
  onStatus(statusOf(server, shipped));
}

const WAITED_FOR: ReadonlySet<string> = new Set(['unavailable', 'no-space', 'permission', 'read-only', 'vault-not-found', 'not-found']);

function statusOf(server: WalServer, shipped: Shipped): WalStatus {
  const { archivedLsn } = shipped;
  const behind = archivedLsn === undefined ? undefined : Math.max(0, Number(server.lsn - archivedLsn));
  return { ...shipped, systemId: server.systemId, timeline: server.timeline, serverLsn: server.lsn, behindBytes: behind };
}
