import { listSlots } from '../keyring/open-slots.ts';
import type { SlotStore } from '../keyring/open-slots.ts';
import { recipientWrapper } from '../keyring/recipient.ts';
import { fingerprintOf, readRecipientFile, shownFingerprint } from '../keyring/recipient/public-half.ts';
import type { RepositoryConfig } from '../repository/index.ts';
import type { ProbeFinding } from '../stores/probe.ts';

/** Whether the paper of a recipient of the configuration opens every key number of the vault (K11). Fails as `readRecipientFile`. */
export async function recipientFinding(path: string, store: SlotStore, { repository }: Pick<RepositoryConfig, 'repository'>): Promise<ProbeFinding> {
  const recipient = await readRecipientFile(path);
  const wrapper = recipientWrapper(recipient);
  const { slots } = await listSlots(store, repository);
  const numbers = [...new Set(slots.map(({ keyNumber }) => keyNumber))].sort((left, right) => left - right);
  const open = slots.filter((slot) => wrapper.isFor?.(slot) && slot.wrapped.data !== undefined).map(({ keyNumber }) => keyNumber);
  const closed = numbers.filter((number) => !open.includes(number));
  const words = `${path}, fingerprint ${shownFingerprint(fingerprintOf(recipient.publicKey))}`;
  if (closed.length === 0) return { result: 'ok', seen: `${words}: a slot for every key number` };
  return { result: 'warning', seen: `${words}: no slot for key number ${closed.join(', ')}, so its paper does not open those backups`, nextStep: 'The next backup adds what its key opens; or run `holdfast keys add --recipient FILE` with a key that opens all of them.' };
}
