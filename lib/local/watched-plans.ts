import type { Config } from '../config/load-config.ts';
import { resolvePlans } from '../config/resolve-plans.ts';
import type { ResolvedSource } from '../config/resolved-source.ts';
import type { ResolvedVault } from '../config/resolved-vault.ts';
import { fromText } from '../model/byte-string.ts';
import { planIdOf } from './plan-id.ts';
import { describePlace } from './s3-place.ts';
import type { LocalVault } from './vault.ts';

/** A plan whose WAL must arrive within a time. */
export interface WatchedPlan {
  readonly planName: string;
  /** Opaque. */
  readonly plan: string;
  readonly walFreshnessMs: number;
}

/** Plans of the file that keep their WAL in this vault and have `wal-freshness`. */
export function watchedPlansOf(config: Config, { directory, repository }: Pick<LocalVault, 'directory' | 'repository'>): WatchedPlan[] {
  return resolvePlans(config).flatMap(({ name, vault, source }) => {
    const { walFreshnessMs } = walFreshnessOf(source);
    if (walFreshnessMs === undefined || placeOf(vault) !== directory) return [];
    return [{ planName: name, plan: planIdOf(repository.keys.keys.chunker, [fromText(name)]), walFreshnessMs }];
  });
}

/** `wal-freshness` in milliseconds, of sources that can have it. */
export function walFreshnessOf(source: ResolvedSource): { readonly walFreshnessMs?: number } {
  return source.type === 'postgres-physical' && source.walFreshnessMs !== undefined ? { walFreshnessMs: source.walFreshnessMs } : {};
}

/** As an opened vault is called. */
function placeOf(vault: ResolvedVault): string | undefined {
  if (vault.kind === 'aws') return undefined;
  return vault.kind === 's3' ? describePlace(vault) : vault.directory;
}
