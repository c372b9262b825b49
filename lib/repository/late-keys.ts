import type { Store } from '../stores/store.ts';
import { wrapStore } from '../stores/wrapping.ts';
import { FOOTER_BYTES } from './format.ts';
import type { Subkeys, VaultKeys } from './keys.ts';

/** Opens the key slots of the vault once more, with what opened them at first. */
export type ReopenSlots = () => Promise<VaultKeys>;

/** Each opens every slot again, which takes a second with a passphrase: a hostile store must not ask for it for ever. */
const MAX_REOPENED = 8;

/**
 * Keys may be rotated while a run lasts, and whoever opens the vault after that stores indexes, trees and verdicts under
 * the new number. When a read meets a number that was not opened, and the vault has slots for it, the slots are read once
 * more before the object is handed out (decision 0021). Keys that are given no slot stay locked out, as before: nothing is
 * opened here that the key at hand would not open at the next start.
 */
export function withLateKeys(store: Store, keys: Subkeys, reopen: ReopenSlots): Store {
  const asked = new Map<number, Promise<void>>();
  let reopened = 0;
  const learn = async (number: number) => {
    for await (const _slot of store.list(`keys/${number}/`)) return reopened++ < MAX_REOPENED ? keys.learn(await reopen()) : undefined;
  };
  return wrapStore(store, {
    async call({ operation }, run) {
      const answer = await run();
      const number = operation === 'get' ? claimedNumber(answer as Uint8Array) : undefined;
      if (number === undefined || keys.has(number)) return answer;
      const asking = asked.get(number) ?? learn(number);
      asked.set(number, asking);
      // A store that failed may be asked again; a number without a slot that opens is asked for once.
      await asking.catch((error: unknown) => {
        asked.delete(number);
        throw error;
      });
      return answer;
    },
  });
}

/** What the head of a sealed object or the end of a pack says; true or not, it costs one look at the slots. */
function claimedNumber(bytes: Uint8Array): number | undefined {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.length < FOOTER_BYTES) return undefined;
  if (view.latin1Slice(0, 4) === 'HFOB') return view.readUInt32BE(8);
  const footer = view.subarray(-FOOTER_BYTES);
  return footer.latin1Slice(0, 4) === 'HFPE' ? footer.readUInt32BE(8) : undefined;
}
