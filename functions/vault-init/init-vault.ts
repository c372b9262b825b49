import type { KMSClient } from '@aws-sdk/client-kms';
import { isSlotName } from '../../lib/keyring/key-slot.ts';
import { createKmsWrapper, kmsUnlocker } from '../../lib/keyring/kms.ts';
import type { KmsScope } from '../../lib/keyring/kms.ts';
import { listSlots, openSlots } from '../../lib/keyring/open-slots.ts';
import { slotsLackedBy } from '../../lib/keyring/recipient-slots.ts';
import { parseRecipient } from '../../lib/keyring/recipient/public-half.ts';
import { addSlot, createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { HoldfastError, isHoldfastError } from '../../lib/model/errors.ts';
import { isHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { newRepositoryConfig, readConfig, writeConfig } from '../../lib/repository/index.ts';
import type { RepositoryConfig } from '../../lib/repository/index.ts';
import type { DeployedRecipient } from '../../lib/settings/deployed.ts';
import type { Store } from '../../lib/stores/store.ts';

export interface InitPorts {
  readonly store: Store;
  readonly kms: KMSClient;
  /** ARN of the key that wraps. */
  readonly keyArn: string;
  /** Offline recipients that get the slots that they lack (K11): here, because no task may write slots. */
  readonly recipients?: readonly DeployedRecipient[];
}

/** `all` opens everything and is what writers and restores use; `meta` names, sizes and structure alone. */
const SCOPES: readonly KmsScope[] = ['all', 'meta'];

export interface InitializedVault {
  readonly repository: RepositoryId;
  readonly isNew: boolean;
  /** Slots that were added for recipients. */
  readonly added: number;
}

/**
 * Makes a vault or finds it made: one key slot of each scope, then `holdfast.json`, whose conditional write decides
 * between callers at once; all of them answer the same repository. What a killed attempt left behind is finished rather
 * than begun again: a slot of a repository that never came to be would be a stranger in the vault, and locks keep it.
 * A vault that is there is opened, so that a key that does not fit fails the deploy and not the first backup.
 */
export async function initVault(ports: InitPorts): Promise<InitializedVault> {
  const made = await makeOrFind(ports);
  return { ...made, added: await coverRecipients(made.repository, ports) };
}

async function makeOrFind(ports: InitPorts): Promise<Omit<InitializedVault, 'added'>> {
  const { store } = ports;
  const there = await configIn(store);
  if (there !== undefined) return opened(there.repository, ports);
  const config = (await unfinished(ports)) ?? (await begin(ports));
  try {
    await writeConfig(store, config);
    return { repository: config.repository, isNew: true };
  } catch (error) {
    if (!isHoldfastError(error, 'already-exists')) throw error;
    return opened((await readConfig(store)).repository, ports);
  }
}

/** After the vault is whole: an attempt that dies here is finished by the next deploy. */
async function coverRecipients(repository: RepositoryId, { store, kms, keyArn, recipients = [] }: InitPorts): Promise<number> {
  if (recipients.length === 0) return 0;
  const keys = await openSlots(store, repository, kmsUnlocker({ client: kms, repository, scope: 'all', keyId: keyArn }));
  const { slots } = await listSlots(store, repository);
  const lacked = await Promise.all(recipients.map(({ label, text }) => slotsLackedBy(parseRecipient(text, label, label), { repository, keys, slots })));
  await writeSlots(store, lacked.flat());
  return lacked.flat().length;
}

async function begin({ store, kms, keyArn }: InitPorts): Promise<RepositoryConfig> {
  const config = newRepositoryConfig();
  const { repository } = config;
  const wrappers = await Promise.all(SCOPES.map((scope) => createKmsWrapper({ client: kms, repository, scope, keyId: keyArn })));
  const { slots } = await createSlots(repository, wrappers);
  await writeSlots(store, slots);
  return config;
}

/** The repository whose slots are there and open with this key, with the slots that it lacks; the first by its id. */
async function unfinished(ports: InitPorts): Promise<RepositoryConfig | undefined> {
  const { store, kms, keyArn } = ports;
  for (const repository of await repositoriesOfSlots(store)) {
    const unlocker = kmsUnlocker({ client: kms, repository, scope: 'all', keyId: keyArn });
    const keys = await openSlots(store, repository, unlocker).catch((error: unknown) => {
      if (isHoldfastError(error, 'wrong-key') || isHoldfastError(error, 'damaged')) return undefined;
      throw error;
    });
    if (keys === undefined) continue;
    const meta = await createKmsWrapper({ client: kms, repository, scope: 'meta', keyId: keyArn });
    await writeSlots(store, await addSlot(repository, keys, meta, { isMetaOnly: true }));
    return { ...newRepositoryConfig(), repository };
  }
  return undefined;
}

async function repositoriesOfSlots(store: Store): Promise<RepositoryId[]> {
  const found = new Set<string>();
  for await (const { name } of store.list('keys/')) {
    if (isSlotName(name)) found.add(repositoryIn(await store.get(name)));
  }
  return [...found].filter(isHexId).sort() as RepositoryId[];
}

function repositoryIn(slot: Uint8Array): string {
  try {
    return String((JSON.parse(Buffer.from(slot).toString('utf8')) as { repository?: unknown }).repository);
  } catch {
    return '';
  }
}

async function configIn(store: Store): Promise<RepositoryConfig | undefined> {
  return readConfig(store).catch((error: unknown) => {
    if (isHoldfastError(error, 'vault-not-found')) return undefined;
    throw error;
  });
}

async function opened(repository: RepositoryId, { store, kms, keyArn }: InitPorts): Promise<Omit<InitializedVault, 'added'>> {
  for (const scope of SCOPES) {
    await openSlots(store, repository, kmsUnlocker({ client: kms, repository, scope, keyId: keyArn })).catch((error: unknown) => {
      if (!isHoldfastError(error, 'wrong-key')) throw error;
      throw new HoldfastError('wrong-key', `The vault at ${store.description} (repository ${repository}) has no key slot of scope "${scope}" under ${keyArn}.`, {
        cause: error,
        nextStep: 'Name the key that wraps this vault as `existing-key`, or give the vault a new slot with `holdfast keys add`. Nothing was changed.',
      });
    });
  }
  return { repository, isNew: false };
}
