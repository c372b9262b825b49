import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { recipientUnlocker } from '../../lib/keyring/recipient.ts';
import { encodeRecipient } from '../../lib/keyring/recipient/public-half.ts';
import { xWingKey } from '../../lib/keyring/recipient/x-wing.ts';
import { coverRecipients } from '../../lib/local/recipients.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { Subkeys } from '../../lib/repository/index.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { REPOSITORY_ID, memoryVault } from '../support/vault.ts';

const folder = temporaryFolder();

function recipient(name: string): { readonly path: string; readonly seed: Uint8Array } {
  const seed = randomBytes(32);
  writeFileSync(join(folder, name), encodeRecipient(xWingKey(seed).publicKey));
  return { path: join(folder, name), seed };
}

describe('recipients of the configuration before a backup (K11)', () => {
  it('get the slots that they lack, each once, and open all keys with them', async () => {
    const { repository, store } = memoryVault();
    const [one, two] = [recipient('one'), recipient('two')];
    expect(await coverRecipients({ repository }, { recipients: [one.path] })).toEqual({ notes: [], hints: [expect.stringContaining(`${one.path} had no slot for key number 1`)] });
    expect((await coverRecipients({ repository }, { recipients: [one.path, two.path] })).hints).toEqual([expect.stringContaining(two.path)]);
    expect(await coverRecipients({ repository }, { recipients: [one.path, two.path] })).toEqual({ notes: [], hints: [] });
    const { pairs, chunker } = await openSlots(store, REPOSITORY_ID as RepositoryId, recipientUnlocker(two.seed));
    expect({ pairs, chunker }).toMatchObject({ pairs: repository.keys.keys.pairs.map(({ number, meta, data }) => ({ number, meta: Buffer.from(meta), data: Buffer.from(data!) })), chunker: Buffer.from(repository.keys.keys.chunker) });
  });

  it('that a store takes no slot for are named, and the others are covered', async () => {
    const { repository, store } = memoryVault();
    const one = recipient('three');
    const refused = { ...repository, store: readOnly(store) };
    expect(await coverRecipients({ repository: refused }, { recipients: [one.path] })).toEqual({ hints: [], notes: [expect.stringMatching(/gets no keys of this vault, so its paper would not open this backup: refused to put keys\/1\//)] });
    const { hints, notes } = await coverRecipients({ repository }, { recipients: [join(folder, 'absent'), one.path] });
    expect([hints, notes]).toEqual([[expect.stringContaining(one.path)], [expect.stringContaining('absent is not there')]]);
  });

  it('get no slot that would open metadata alone, where the key in use opens no more', async () => {
    const { repository, store } = memoryVault();
    const [pair] = repository.keys.keys.pairs;
    const metaOnly = { ...repository, keys: new Subkeys(repository.keys.repository, { ...repository.keys.keys, pairs: [{ number: 1, meta: pair!.meta }] }) };
    expect(await coverRecipients({ repository: metaOnly }, { recipients: [recipient('four').path] })).toEqual({ notes: [], hints: [] });
    expect(await Array.fromAsync(store.list('keys/'))).toEqual([]);
  });
});
