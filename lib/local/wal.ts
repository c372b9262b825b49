import { join } from 'node:path';
import { archiveWal } from '../backup/wal/archive-wal.ts';
import type { Shipped } from '../backup/wal/ship-wal.ts';
import { receiveWal } from '../backup/wal/receive-wal.ts';
import type { KeptUpLimits, KeptUpState } from '../backup/wal/kept-up.ts';
import type { WalStatus } from '../backup/wal/receive-wal.ts';
import { WalSpool } from '../backup/wal/spool.ts';
import type { ResolvedSource } from '../config/resolved-source.ts';
import { HoldfastError } from '../model/errors.ts';
import { CONFIG_NAME, putKeptNote } from '../repository/index.ts';
import { openConnection } from '../sources/postgres/connection.ts';
import { askServer, askSlot, checkSlotName, findWalClient, makeSlot, startReceiver } from '../sources/postgres/wal/receiver.ts';
import { connectionOf, postgresPlaces } from './postgres-places.ts';
import { takeRunLock } from './run-lock.ts';
import type { LocalContext, LocalVault } from './vault.ts';

/** A plan whose WAL is kept, and the vault that keeps it. */
export interface OpenedPlan {
  readonly vault: LocalVault;
  readonly planName: string;
  /** Opaque. */
  readonly plan: string;
  /** As holdfast.yaml has it; absent where there is none. */
  readonly source?: ResolvedSource;
  /** Later WAL is told, as `wal-freshness` of the source has it. */
  readonly walFreshnessMs?: number;
  /** The holdfast.yaml that was read. */
  readonly configFile?: string;
}

export interface ReceiveOptions extends KeptUpLimits {
  /** Made when it is not there; from the plan's name when not given. */
  readonly slot?: string | undefined;
  readonly partialEveryMs: number;
  readonly signal: AbortSignal;
  readonly onStatus: (status: WalStatus) => void;
  readonly onKeptUp: (state: KeptUpState) => void;
  readonly onWarning: (problem: HoldfastError, seen: { readonly waitingFiles?: number; readonly againMs: number }) => void;
}

/** Runs until `signal` stops it. One for each plan on this machine: fails as `busy`. */
export async function performReceive({ vault, plan, planName, source }: OpenedPlan, options: ReceiveOptions, context: LocalContext): Promise<Shipped> {
  if (source === undefined || !('database' in source) || source.type === 'postgres') throw noServer(planName, source);
  const { clock, environment } = context;
  const { repository, stateFolder } = vault;
  const slot = checkSlotName(options.slot ?? slotOf(planName));
  const lock = takeRunLock(join(stateFolder, 'locks', `wal-${plan}`), planName, 'has a holdfast wal-receive');
  const places = postgresPlaces(environment);
  const connection = await connectionOf(source, environment);
  const opened = await openConnection(connection, { ...places, clock });
  try {
    const reached = { client: await findWalClient(places), connection, opened, clock };
    let hasSlot = false;
    return await receiveWal({
      clock, random: Math.random, onStatus: options.onStatus, onWarning: options.onWarning, onKeptUp: options.onKeptUp,
      spool: new WalSpool(join(stateFolder, 'wal', plan)),
      identify: async (signal) => {
        const server = await askServer(reached, signal);
        if (!hasSlot) await makeSlot(reached, slot);
        hasSlot = true;
        return server;
      },
      confirmed: (signal) => askSlot(reached, slot, signal),
      note: (kept) => putKeptNote(repository.store, { plan, ...kept }, clock.now()),
      receive: (folder) => startReceiver(reached, { slot, folder }),
      prove: async () => void (await repository.store.stat(CONFIG_NAME)),
      archive: (file, signal) => archiveWal({ repository, plan, clock, signal }, file),
      forget: async (names) => {
        for (const name of names) await repository.store.remove(name);
      },
    }, options);
  } finally {
    await opened.remove();
    lock.release();
  }
}

function noServer(planName: string, source: ResolvedSource | undefined): HoldfastError {
  return new HoldfastError('usage', `The plan ${planName} is ${source === undefined ? 'not in a holdfast.yaml' : `of type ${source.type}`}, wanted a source of \`type: postgres\` with \`mode: physical\`: only there is a server to receive WAL from.`, { nextStep: 'Write such a plan into holdfast.yaml (docs/point-in-time.md), or let the server run `holdfast wal-archive`.' });
}

/** `holdfast_orders`; a slot's name has small letters, digits and underscores. */
function slotOf(planName: string): string {
  return `holdfast_${planName.toLowerCase().replace(/[^a-z0-9]/g, '_')}`.slice(0, 63);
}
