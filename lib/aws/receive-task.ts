import { join } from 'node:path';
import { receiveFrom } from '../backup/wal/receive-from.ts';
import type { ReceiveFromOptions } from '../backup/wal/receive-from.ts';
import { receiveLimits } from '../backup/wal/receive-limits.ts';
import type { Shipped } from '../backup/wal/ship-wal.ts';
import type { HoldfastError } from '../model/errors.ts';
import { invariant, isHoldfastError } from '../model/errors.ts';
import type { DeployedPlan } from '../settings/deployed.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import { connectionOf } from './source-of.ts';
import type { TaskPlaces } from './source-of.ts';
import { openStackVault, placeOf } from './stack-vault.ts';
import type { VaultClients } from './stack-vault.ts';

export interface ReceiveTaskContext extends TaskPlaces, VaultClients, Pick<ReceiveFromOptions, 'signal' | 'onStatus' | 'onKeptUp' | 'onWarning'> {
  readonly vaults: VaultPlaces;
  /** What ended an attempt, and when the next one begins. */
  readonly onFailure: (error: HoldfastError, againMs: number) => void;
}

/** Longer than any of these is no outage: somebody has to act, and finds it in the log each time. */
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 5 * 60_000;
/** What ran for this long was well. */
const WELL_MS = 10 * 60_000;

/**
 * Receives the WAL of a plan until `signal` stops it, and answers what was kept since the last start. What nobody mends by
 * waiting is tried again all the same: a task that ended would be started again by ECS, for more money, and a deploy would wait for a
 * database that is down. The monitor tells that nothing arrives. The spool lies in the task's own scratch.
 */
export async function performReceiveTask(plan: DeployedPlan, context: ReceiveTaskContext): Promise<Shipped | undefined> {
  const { clock, signal, onFailure } = context;
  for (let failures = 0; !signal.aborted;) {
    const startedAt = clock.now();
    try {
      return await receive(plan, context);
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      // At its end it had as long as there is: what is left in the spool goes with the task.
      if (signal.aborted) throw error;
      failures = clock.now() - startedAt > WELL_MS ? 1 : failures + 1;
      const againMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - 1, 10));
      onFailure(error, againMs);
      await clock.sleep(againMs, signal).catch(() => undefined);
    }
  }
  return undefined;
}

async function receive({ name, planId, vault, source, wal, policy }: DeployedPlan, context: ReceiveTaskContext): Promise<Shipped> {
  const { clock, commandEnvironment, scratchFolder, resolveSecret } = context;
  invariant(source.type === 'postgres-physical' && wal !== undefined, `the plan ${name} has no WAL to receive`);
  const { slot, partialEveryMs } = wal.receiver;
  const { repository } = await openStackVault(placeOf(vault, context.vaults), context);
  return receiveFrom(
    {
      repository: { ...repository, cipher: policy.encryption },
      plan: planId,
      connection: await connectionOf(source, resolveSecret),
      places: { environment: commandEnvironment, temporaryFolder: scratchFolder },
      spoolFolder: join(scratchFolder, 'wal', planId),
      slot, clock, random: Math.random, mayForget: false,
    },
    { ...receiveLimits({ partialEveryMs }, wal.freshnessMs), signal: context.signal, onStatus: context.onStatus, onKeptUp: context.onKeptUp, onWarning: context.onWarning },
  );
}
