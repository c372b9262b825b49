import type { KeySlot, KeyWrapper } from '../keyring/key-slot.ts';
import { listSlots } from '../keyring/open-slots.ts';
import { recipientWrapper } from '../keyring/recipient.ts';
import { slotsLackedBy } from '../keyring/recipient-slots.ts';
import { readRecipientFile } from '../keyring/recipient/public-half.ts';
import { writeSlots } from '../keyring/slots.ts';
import { isHoldfastError } from '../model/errors.ts';
import type { Repository } from '../repository/index.ts';
import type { VaultChoice } from './vault-choice.ts';

/** For the offline recipients that the configuration names (K11). Fails as `missing-key` for a file that is none. */
export async function recipientWrappers({ recipients = [] }: Pick<VaultChoice, 'recipients'>): Promise<KeyWrapper[]> {
  return Promise.all(recipients.map(async (path) => recipientWrapper(await readRecipientFile(path))));
}

export interface Covered {
  /** What was done. */
  readonly hints: readonly string[];
  /** Who is not covered: their papers would not open what is backed up now. */
  readonly notes: readonly string[];
}

/**
 * Gives each recipient of the configuration the slots that it lacks, of every key number that is open here. A recipient
 * that cannot be covered costs a note and never a backup. Two runs at once may both add one: slots have ids of their own.
 */
export async function coverRecipients({ repository }: { readonly repository: Repository }, { recipients = [] }: Pick<VaultChoice, 'recipients'>): Promise<Covered> {
  if (recipients.length === 0) return { hints: [], notes: [] };
  const { slots } = await listSlots(repository.store, repository.config.repository);
  const outcomes = await Promise.all(recipients.map((path) => cover(repository, slots, path)));
  return { hints: outcomes.flatMap(({ hint }) => hint ?? []), notes: outcomes.flatMap(({ note }) => note ?? []) };
}

async function cover(repository: Repository, slots: readonly KeySlot[], path: string): Promise<{ readonly hint?: string; readonly note?: string }> {
  try {
    const lacked = await slotsLackedBy(await readRecipientFile(path), { repository: repository.config.repository, keys: repository.keys.keys, slots });
    if (lacked.length === 0) return {};
    await writeSlots(repository.store, lacked);
    return { hint: `The recipient ${path} had no slot for ${lacked.length === 1 ? 'key number' : 'the key numbers'} ${lacked.map(({ keyNumber }) => keyNumber).join(', ')} of this vault: added. From now on its paper opens these backups.` };
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return { note: `The recipient ${path} of the configuration gets no keys of this vault, so its paper would not open this backup: ${error.message}${error.nextStep === undefined ? '' : ` ${error.nextStep}`}` };
  }
}
