import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { RepositoryId } from '../model/ids.ts';
import { openSlots, listSlots } from '../keyring/open-slots.ts';
import type { Unlocker } from '../keyring/key-slot.ts';
import { CHUNKER_SIZES, CONFIG_NAME, FORMAT_VERSION, readConfig } from '../repository/index.ts';
import type { RepositoryConfig } from '../repository/index.ts';
import type { Store } from '../stores/store.ts';
import { Findings } from './findings.ts';
import type { DamagedObject, VerifyNote } from './verify-report.ts';

type HeadStore = Pick<Store, 'get' | 'list' | 'description'>;

/** What everything else is opened with: `holdfast.json` and the key slots. */
export interface HeadReport {
  readonly damage: readonly DamagedObject[];
  readonly notes: readonly VerifyNote[];
  /** What `holdfast.json` should say, from the key slots, when it is the damaged one (format §2). */
  readonly rebuiltConfig: RepositoryConfig | undefined;
}

/**
 * Looks at what a vault is opened with, without opening it: for `verify` when opening fails, so that the damaged object is
 * named and not its consequence. With `unlocker` the slots of its kind are opened too. Throws `vault-not-found` when
 * neither configuration nor slots are there, `unsupported-version`, and what the store says.
 */
export async function examineHead(store: HeadStore, unlocker?: Unlocker): Promise<HeadReport> {
  const findings = new Findings();
  const rebuiltConfig = await findHeadDamage(store, findings, { unlocker });
  return { damage: findings.report(), notes: findings.notes, rebuiltConfig };
}

/** `opened`: the repository as its keys opened it, which settles what its configuration and slots must say. */
export async function findHeadDamage(store: HeadStore, findings: Findings, { unlocker, opened }: { readonly unlocker?: Unlocker | undefined; readonly opened?: string }): Promise<RepositoryConfig | undefined> {
  const named = await repositoryOfSlots(store);
  const isVault = named.slots > 0 || opened !== undefined;
  const config = await readConfig(store).catch((error: unknown) => {
    if (isHoldfastError(error, 'damaged') || (isHoldfastError(error, 'vault-not-found') && isVault)) return error;
    throw error;
  });
  const believed = opened ?? named.repository ?? (isHoldfastError(config) ? undefined : config.repository);
  if (isHoldfastError(config)) findings.damage(CONFIG_NAME, 'config', config.message);
  else if (config.repository !== believed) findings.damage(CONFIG_NAME, 'config', `it names the repository ${config.repository}, the key slots ${believed}`);
  else noteUnusualSizes(config, findings);
  if (believed) await findSlotDamage(store, believed as RepositoryId, findings, unlocker);
  return findings.isDamaged(CONFIG_NAME) && believed ? { format: FORMAT_VERSION, repository: believed as RepositoryId, chunker: CHUNKER_SIZES } : undefined;
}

async function findSlotDamage(store: HeadStore, repository: RepositoryId, findings: Findings, unlocker: Unlocker | undefined): Promise<void> {
  const listed = await listSlots(store, repository);
  for (const problem of listed.problems) findings.damage(slotOf(problem), 'key-slot', problem.message);
  if (listed.slots.length === 0) findings.damage('keys/', 'key-slot', 'no readable key slot is left: nothing in this vault can be opened any more');
  if (!unlocker || listed.slots.length === 0) return;
  try {
    const opened = await openSlots(store, repository, unlocker);
    for (const problem of opened.problems) findings.damage(slotOf(problem), 'key-slot', problem.message);
  } catch (error) {
    if (isHoldfastError(error, 'damaged')) findings.damage(slotOf(error), 'key-slot', error.message);
    else if (isHoldfastError(error, 'wrong-key')) findings.note('key-slot', `${error.message} If it is the right key, the slot is damaged: its salt, its check value or the key file was altered.`);
    else throw error;
  }
}

function slotOf(problem: HoldfastError): string {
  const { slot } = problem.data;
  return typeof slot === 'string' ? slot : 'keys/';
}

/** The repository that most slots name: one flipped bit must not outvote the others. */
async function repositoryOfSlots(store: HeadStore): Promise<{ repository: string | undefined; slots: number }> {
  const votes = new Map<string, number>();
  let slots = 0;
  for await (const { name } of store.list('keys/')) {
    slots++;
    const named = repositoryIn(await store.get(name));
    if (named !== undefined) votes.set(named, (votes.get(named) ?? 0) + 1);
  }
  const config = await store.get(CONFIG_NAME).then(repositoryIn, () => undefined);
  // A draw between one slot and the configuration goes to the side of the configuration only when they agree.
  if (config !== undefined && votes.has(config)) votes.set(config, (votes.get(config) ?? 0) + 1);
  const [first] = [...votes].sort(([, left], [, right]) => right - left);
  return { repository: first?.[0], slots };
}

/** A slot and a configuration are about 600 bytes: what is longer is neither, and is not parsed. */
const MAX_HEAD_BYTES = 64 << 10;

function repositoryIn(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_HEAD_BYTES) return undefined;
  try {
    const { repository } = JSON.parse(Buffer.from(bytes).toString('utf8')) as { repository?: unknown };
    return typeof repository === 'string' && /^[0-9a-f]{32}$/.test(repository) ? repository : undefined;
  } catch {
    return undefined;
  }
}

/** Nothing vouches for the sizes: altered ones cost deduplication and nothing else (format §2). */
function noteUnusualSizes({ chunker }: RepositoryConfig, findings: Findings): void {
  if (JSON.stringify(chunker) === JSON.stringify(CHUNKER_SIZES)) return;
  findings.note('unusual-config', `${CONFIG_NAME} holds other chunk sizes than Holdfast chooses: ${JSON.stringify(chunker)}. If nobody chose them, new backups store more than they need; nothing is lost.`);
}
