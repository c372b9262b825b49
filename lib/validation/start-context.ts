import type { Unlocker } from '../keyring/key-slot.ts';
import type { Repository } from '../repository/index.ts';
import { readOnly } from '../stores/read-only.ts';
import type { Context } from './context.ts';
import { Findings } from './findings.ts';
import { findHeadDamage } from './vault-head.ts';
import { VaultListing } from './vault-listing.ts';

export interface ContextOptions {
  /** False: nothing is written to the vault, verdicts neither. */
  readonly isRecording?: boolean;
  /** Opens key slots too; without it they are parsed only. */
  readonly unlocker?: Unlocker;
  readonly signal?: AbortSignal;
}

/** Lists the vault and looks at what it is opened with; every verification begins so. */
export async function startContext(given: Repository, { isRecording, unlocker, signal }: ContextOptions): Promise<Context> {
  const repository = isRecording === false ? { ...given, store: readOnly(given.store, 'this verification records nothing') } : given;
  const findings = new Findings();
  const listing = await VaultListing.read(repository.store);
  await findHeadDamage(repository.store, findings, { unlocker, opened: repository.config.repository });
  const held = new Set(repository.keys.keys.pairs.map(({ number }) => number));
  const hasAllKeys = listing.in('keys').every(({ name }) => held.has(Number(name.split('/')[1])));
  return { repository, listing, findings, hasAllKeys, signal };
}
