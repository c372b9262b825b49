import * as z from 'zod';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { BackupId, PlanId, RepositoryId, WriterId } from '../model/ids.ts';
import { newHexId } from '../model/ids.ts';
import type { Store } from '../stores/store.ts';
import { CHUNKER_SIZES, FORMAT_VERSION, checkVersion, damaged } from './format.ts';
import type { ChunkerSizes, CipherName } from './format.ts';
import { Subkeys } from './keys.ts';
import type { VaultKeys } from './keys.ts';
import { withLateKeys } from './late-keys.ts';
import type { ReopenSlots } from './late-keys.ts';
import { CONFIG_NAME } from './names.ts';
import { parseJson } from './sealed-object.ts';

const sizes = z.object({ min: z.number().int(), avg: z.number().int(), max: z.number().int() });
const configSchema = z.object({ format: z.number(), repository: z.string().regex(/^[0-9a-f]{32}$/), chunker: z.object({ files: sizes, streams: sizes }) });

export interface RepositoryConfig {
  readonly format: number;
  readonly repository: RepositoryId;
  readonly chunker: { readonly files: ChunkerSizes; readonly streams: ChunkerSizes };
}

/** A repository with opened keys: what readers and writers work on. */
export interface Repository {
  readonly store: Store;
  readonly config: RepositoryConfig;
  readonly keys: Subkeys;
  readonly cipher: CipherName;
}

export function newRepositoryConfig(random?: (size: number) => Uint8Array): RepositoryConfig {
  return { format: FORMAT_VERSION, repository: newHexId<RepositoryId>(random), chunker: CHUNKER_SIZES };
}

/** Written last when a vault is made (format §2): after the key slots. */
export async function writeConfig(store: Pick<Store, 'put'>, config: RepositoryConfig): Promise<void> {
  await store.put(CONFIG_NAME, Buffer.from(JSON.stringify(config) + '\n'));
}

/** Fails as `vault-not-found` when nothing is there. */
export async function readConfig(store: Pick<Store, 'get' | 'description'>): Promise<RepositoryConfig> {
  const bytes = await store.get(CONFIG_NAME).catch((cause: unknown) => {
    if (!isHoldfastError(cause, 'not-found')) throw cause;
    throw new HoldfastError('vault-not-found', `No vault is at ${store.description}: ${CONFIG_NAME} is missing.`, {
      nextStep: 'Check --vault, or make a vault there with `holdfast init`. If there was one (keys/ and packs/ are there), make none: `holdfast verify` prints the line that belongs into the missing file.',
    });
  });
  const json = parseJson(bytes, CONFIG_NAME);
  const version = (json as { format?: unknown } | null)?.format;
  if (typeof version === 'number') checkVersion(version, CONFIG_NAME);
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) throw damaged(`${CONFIG_NAME} is not the configuration of a vault`);
  for (const chunker of Object.values(parsed.data.chunker)) checkSizes(chunker);
  return parsed.data as RepositoryConfig;
}

export interface OpenOptions {
  readonly cipher?: CipherName;
  /** For whoever may work while keys are rotated; without it the keys that were opened are all there are. */
  readonly reopen?: ReopenSlots;
}

export function openRepository(store: Store, config: RepositoryConfig, opened: VaultKeys, { cipher = 'aes-256-gcm', reopen }: OpenOptions = {}): Repository {
  const keys = new Subkeys(config.repository, opened);
  return { store: reopen ? withLateKeys(store, keys, reopen) : store, config, keys, cipher };
}

function checkSizes({ min, avg, max }: ChunkerSizes): void {
  if (4096 <= min && min < avg && avg < max && max <= 16 << 20) return;
  throw damaged(`${CONFIG_NAME} holds chunk sizes ${min}/${avg}/${max}, wanted 4096 <= min < avg < max <= 16777216`);
}

/** Who stores packs: one per state directory locally, one per stack in aws. */
export interface Writer {
  readonly id: WriterId;
  readonly host: string;
}

export interface BackupRef {
  readonly plan: PlanId;
  readonly backup: BackupId;
}
