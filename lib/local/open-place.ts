import type { Clock } from '../model/clock.ts';
import { openDirectoryStore } from '../stores/directory-store.ts';
import type { ProbeCheck } from '../stores/probe.ts';
import { retrying } from '../stores/retrying.ts';
import type { Store } from '../stores/store.ts';
import { throttled } from '../stores/throttled.ts';
import type { LocalContext, StoreLimits } from './vault.ts';
import type { VaultChoice } from './vault-choice.ts';

/** Where a vault is, reachable and not yet asked for anything. */
export interface OpenedPlace {
  /** As it is, without retries. */
  readonly bare: Store;
  /** For the first look, when somebody waits: across a network a wrong name or endpoint looks like a failure that passes. */
  readonly opening: Store;
  /** For runs: it outlasts failures of ten minutes. */
  patient(limits?: StoreLimits): Store;
  /** Questions to the store that only its kind can answer. */
  readonly probes?: (folder: string) => readonly ProbeCheck[];
  /** Removes what killed runs left unfinished; a bucket holds whole objects only. */
  sweep(): Promise<void>;
  close(): void;
}

const OPENING_BUDGET_MS = 10_000;
const OPENING_MAX_DELAY_MS = 3000;

/** The one visible place where a local store is put together. The SDK is loaded for vaults in a bucket alone. */
export async function openPlace(choice: VaultChoice, context: LocalContext): Promise<OpenedPlace> {
  const { clock } = context;
  if (choice.s3 === undefined) {
    const bare = openDirectoryStore(choice.directory);
    return { bare, opening: patient(bare, clock), patient: (limits) => patient(bare, clock, limits), sweep: async () => void (await bare.sweepTemporaries()), close: () => undefined };
  }
  const { openS3Vault } = await import('./s3-vault.ts');
  const { store: bare, client, probes } = openS3Vault(choice.s3, context);
  const opening = retrying(bare, { clock, random: Math.random, budgetMs: OPENING_BUDGET_MS, maxDelayMs: OPENING_MAX_DELAY_MS });
  return { bare, opening, probes, patient: (limits) => patient(bare, clock, limits), sweep: async () => undefined, close: () => client.destroy() };
}

function patient(store: Store, clock: Clock, { uploadBytesPerSecond, stop, patienceMs }: StoreLimits = {}): Store {
  const retried = retrying(store, { clock, random: Math.random, ...(patienceMs !== undefined && { budgetMs: patienceMs }) });
  return uploadBytesPerSecond === undefined ? retried : throttled(retried, { uploadBytesPerSecond, stop }, clock);
}
