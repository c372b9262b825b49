import type { HoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import { CONFIG_NAME, putKeptNote } from '../../repository/index.ts';
import type { Repository } from '../../repository/index.ts';
import type { ClientPlaces } from '../../sources/client-programs.ts';
import { openConnection } from '../../sources/postgres/connection.ts';
import type { PostgresConnection } from '../../sources/postgres/connection.ts';
import { askSegmentBytes, askServer, askSlot, checkSlotName, findWalClient, makeSlot, makeSlotAnew, startReceiver, wasRemoved } from '../../sources/postgres/wal/receiver.ts';
import { archiveWal } from './archive-wal.ts';
import type { WalSource } from './archive-wal.ts';
import type { KeptUpLimits, KeptUpState } from './kept-up.ts';
import { receiveWal } from './receive-wal.ts';
import type { WalStatus } from './receive-wal.ts';
import { beginAt, firstLacking } from './resume.ts';
import type { Shipped } from './ship-wal.ts';
import { WalSpool } from './spool.ts';

/** Whose WAL goes where. */
export interface ReceiveFrom {
  readonly repository: Repository;
  /** Opaque id of the plan. */
  readonly plan: string;
  readonly connection: PostgresConnection;
  readonly places: ClientPlaces & { readonly temporaryFolder: string };
  readonly spoolFolder: string;
  /** Made when it is not there. */
  readonly slot: string;
  readonly clock: Clock;
  /** From 0 to 1. */
  readonly random: () => number;
  /** False where nothing may be deleted: what is superseded is left to prune and to lifecycle rules. */
  readonly mayForget: boolean;
}

export interface ReceiveFromOptions extends KeptUpLimits {
  readonly partialEveryMs: number;
  readonly signal: AbortSignal;
  readonly onStatus: (status: WalStatus) => void;
  readonly onKeptUp: (state: KeptUpState) => void;
  readonly onWarning: (problem: HoldfastError, seen: { readonly waitingFiles?: number; readonly againMs: number }) => void;
}

/** Receives until `signal` stops it, with PostgreSQL's own pg_receivewal: `receiveWal` says what happens when something fails. */
export async function receiveFrom({ repository, plan, connection, places, spoolFolder, slot, clock, random, mayForget }: ReceiveFrom, options: ReceiveFromOptions): Promise<Shipped> {
  checkSlotName(slot);
  const { store } = repository;
  const opened = await openConnection(connection, { ...places, clock });
  try {
    const reached = { client: await findWalClient(places), connection, opened, clock };
    const spool = new WalSpool(spoolFolder);
    let hasSlot = false;
    const archive = (file: WalSource, signal?: AbortSignal) => archiveWal({ repository, plan, clock, signal }, file);
    /** The server has removed what a segment goes on with: it is a gap, and receiving goes on from where the slot stands. */
    const giveUpBeginnings = async (folder: string) => {
      for (const { path, name, systemId } of await spool.beginningsIn(folder)) {
        if (!(await spool.isEmpty({ path }))) await archive({ path, name: `${name}.partial`, systemId });
        await spool.remove({ path });
      }
    };
    return await receiveWal({
      clock, random, onStatus: options.onStatus, onWarning: options.onWarning, onKeptUp: options.onKeptUp,
      spool,
      identify: async (signal) => {
        const server = await askServer(reached, signal);
        if (!hasSlot) await makeSlot(reached, slot);
        hasSlot = true;
        return server;
      },
      resume: async (folder, { systemId, timeline, lsn }, failed, signal) => {
        const confirmed = await askSlot(reached, slot, signal);
        // New, or lost because the server kept WAL for it no longer: such a one holds nothing back any more.
        if (confirmed === undefined) await makeSlotAnew(reached, slot);
        const segmentBytes = await askSegmentBytes(reached, signal);
        await spool.emptyUnfinished(folder, segmentBytes);
        if (wasRemoved(failed)) await giveUpBeginnings(folder);
        else if (!(await spool.hasFiles(folder))) {
          const lacking = await firstLacking({ store, plan, systemId, timeline, confirmed: confirmed ?? lsn, segmentBytes });
          if (lacking !== undefined) await beginAt(folder, lacking);
        }
      },
      confirmed: (signal) => askSlot(reached, slot, signal),
      note: (kept) => putKeptNote(store, { plan, ...kept }, clock.now()),
      receive: (folder) => startReceiver(reached, { slot, folder }),
      prove: async () => void (await store.stat(CONFIG_NAME)),
      archive,
      forget: async (names) => {
        for (const name of mayForget ? names : []) await store.remove(name);
      },
    }, options);
  } finally {
    await opened.remove();
  }
}
