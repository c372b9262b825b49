import { availableParallelism } from 'node:os';
import type { Catalog } from '../catalog/catalog.ts';
import type { BackupState } from '../catalog/records.ts';
import { startWorker } from '../engine/start-thread.ts';
import type { Clock } from '../model/clock.ts';
import { newUlid } from '../model/ids.ts';
import { names, readVerdicts, standingVerdict } from '../repository/index.ts';
import type { VaultPlaces } from '../settings/variables.ts';
import type { VerifyOrder } from '../settings/verify-order.ts';
import { stateOf } from '../validation/rebuild-catalog.ts';
import { verify } from '../validation/verify.ts';
import type { VerifyProgress, VerifyReport } from '../validation/verify.ts';
import { openStackVault, placeOf } from './stack-vault.ts';
import type { VaultClients } from './stack-vault.ts';

export interface VerifyTaskContext extends VaultClients {
  readonly vaults: VaultPlaces;
  readonly catalog: Pick<Catalog, 'recordValidation' | 'setBackupState'>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Where the verify worker's bundle lies. */
  readonly verifyEntry: URL;
  readonly onProgress: (progress: VerifyProgress) => void;
}

export interface VerifiedOrder {
  readonly state: BackupState;
  readonly report: VerifyReport;
}

const MAX_THREADS = 4;

/**
 * Reads a backup back as another role than the one that wrote it (V4): the verdict goes into the vault first, then the
 * catalog follows it. Throws what kept it from an answer; the backup then is neither good nor bad.
 */
export async function performVerifyTask(order: VerifyOrder, context: VerifyTaskContext): Promise<VerifiedOrder> {
  const { catalog, clock, signal, onProgress, verifyEntry } = context;
  const startedAt = clock.now();
  const { repository, unlocker } = await openStackVault(placeOf(order.vault, context.vaults), context);
  const report = await verify(repository, {
    backups: [names.snapshot(order.planId, order.backupId)],
    level: order.level,
    clock, signal, onProgress, unlocker,
    threads: Math.min(availableParallelism(), MAX_THREADS),
    startThread: (settings) => startWorker(verifyEntry, settings),
  });
  const problems = report.damage.map(({ name, problems: seen }) => `${name}: ${seen[0] ?? 'damaged'}`);
  await catalog.recordValidation({
    validationId: newUlid(clock.now()), backupId: order.backupId, level: order.level, result: problems.length > 0 ? 'corrupted' : 'good',
    startedAt, finishedAt: clock.now(), bytesRead: report.packs.readBytes, problems,
  });
  // The standing verdict, not this report alone: a lighter look does not lift what a deeper one found.
  const state = stateOf(standingVerdict(await readVerdicts(repository, order.backupId)));
  await catalog.setBackupState(order.backupId, state);
  return { state, report };
}
