import { join } from 'node:path';
import { receiveFrom } from '../backup/wal/receive-from.ts';
import type { ReceiveFromOptions } from '../backup/wal/receive-from.ts';
import type { Shipped } from '../backup/wal/ship-wal.ts';
import { slotOf } from '../config/slot-name.ts';
import type { ResolvedSource } from '../config/resolved-source.ts';
import { HoldfastError } from '../model/errors.ts';
import { checkSlotName } from '../sources/postgres/wal/receiver.ts';
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

export interface ReceiveOptions extends ReceiveFromOptions {
  /** Made when it is not there; from the plan's name when not given. */
  readonly slot?: string | undefined;
}

/** Runs until `signal` stops it. One for each plan on this machine: fails as `busy`. */
export async function performReceive({ vault, plan, planName, source }: OpenedPlan, options: ReceiveOptions, context: LocalContext): Promise<Shipped> {
  if (source === undefined || !('database' in source) || source.type === 'postgres') throw noServer(planName, source);
  const { clock, environment } = context;
  const { repository, stateFolder } = vault;
  const slot = checkSlotName(options.slot ?? slotOf(planName));
  const lock = takeRunLock(join(stateFolder, 'locks', `wal-${plan}`), planName, 'has a holdfast wal-receive');
  try {
    const connection = await connectionOf(source, environment);
    return await receiveFrom({ repository, plan, connection, places: postgresPlaces(environment), spoolFolder: join(stateFolder, 'wal', plan), slot, clock, random: Math.random, mayForget: true }, options);
  } finally {
    lock.release();
  }
}

function noServer(planName: string, source: ResolvedSource | undefined): HoldfastError {
  return new HoldfastError('usage', `The plan ${planName} is ${source === undefined ? 'not in a holdfast.yaml' : `of type ${source.type}`}, wanted a source of \`type: postgres\` with \`mode: physical\`: only there is a server to receive WAL from.`, { nextStep: 'Write such a plan into holdfast.yaml (docs/point-in-time.md), or let the server run `holdfast wal-archive`.' });
}
