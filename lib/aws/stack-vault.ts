import type { KMSClient } from '@aws-sdk/client-kms';
import type { S3Client } from '@aws-sdk/client-s3';
import type { KeySlot, Unlocker } from '../keyring/key-slot.ts';
import { kmsUnlocker } from '../keyring/kms.ts';
import type { KmsScope } from '../keyring/kms.ts';
import { openSettledSlots, openSlots } from '../keyring/open-slots.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { openRepository, readConfig } from '../repository/index.ts';
import type { Repository } from '../repository/index.ts';
import type { VaultPlace, VaultPlaces } from '../settings/variables.ts';
import { retrying } from '../stores/retrying.ts';
import type { Retry } from '../stores/retrying.ts';
import { openS3Store } from '../stores/s3-store.ts';
import type { Store } from '../stores/store.ts';

export interface VaultClients {
  readonly s3: S3Client;
  readonly kms: KMSClient;
  readonly clock: Clock;
  readonly onRetry?: ((retry: Retry) => void) | undefined;
}

/** A vault of a stack, with keys that were opened by KMS and live in this process alone (K1). */
export interface StackVault {
  readonly place: VaultPlace;
  readonly repository: Repository;
  readonly unlocker: Unlocker;
  /** The slots that it opened. */
  readonly opened: readonly KeySlot[];
  /** False when a rotation left this key out. */
  readonly mayWrite: boolean;
  readonly warnings: readonly string[];
}

/** The one visible place where a store in a stack's bucket is put together. */
export function stackStore({ bucket, prefix }: VaultPlace, { s3, clock, onRetry }: Omit<VaultClients, 'kms'>): Store {
  const store = openS3Store({ client: s3, bucket, prefix: prefix.replace(/\/$/, ''), clock, random: Math.random });
  return retrying(store, { clock, random: Math.random, ...(onRetry && { onRetry }) });
}

/** One call of KMS for each key number. Fails as `vault-not-found`, `wrong-key`, `permission`, `damaged`, `unsupported-version`. */
export async function openStackVault(place: VaultPlace, clients: VaultClients, scope: KmsScope = 'all'): Promise<StackVault> {
  const store = stackStore(place, clients);
  const config = await readConfig(store);
  const unlocker = kmsUnlocker({ client: clients.kms, repository: config.repository, scope, keyId: place.keyArn });
  const keys = await openSettledSlots(store, { repository: config.repository, unlocker, clock: clients.clock });
  return {
    place,
    repository: openRepository(store, config, keys, { reopen: () => openSlots(store, config.repository, unlocker) }),
    unlocker,
    opened: keys.slots,
    mayWrite: keys.newestNumber <= Math.max(...keys.pairs.map(({ number }) => number)),
    warnings: keys.problems.map(({ message }) => message),
  };
}

/** The place of a vault by its name. */
export function placeOf(name: string, places: VaultPlaces): VaultPlace {
  const place = places[name];
  if (place !== undefined) return place;
  throw new HoldfastError('config-invalid', `The vault ${name} is not one of this process (${Object.keys(places).join(', ') || 'none'}).`, { nextStep: 'Deploy the stack again with the vault in holdfast.yaml, and start the run anew.' });
}
