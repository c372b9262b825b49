import type { Repository } from '../repository/index.ts';
import type { Findings } from './findings.ts';
import type { VaultListing } from './vault-listing.ts';

/** What every step of one verification works with. */
export interface Context {
  readonly repository: Repository;
  readonly listing: VaultListing;
  readonly findings: Findings;
  /** Every key number that has a slot was opened. */
  readonly hasAllKeys: boolean;
  readonly signal: AbortSignal | undefined;
}
