import { readKeyFile } from '../../lib/keyring/key-file.ts';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { listWal, parseWalObjectName, readWhole } from '../../lib/repository/index.ts';
import type { Repository, WalEntry } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { ExpectedWal } from '../../scripts/vectors/v1-wal.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { FrozenVault, openFrozen } from './frozen-vault.ts';

const WAL = new FrozenVault('v1-wal');
const { wal } = WAL.expected as unknown as { readonly wal: readonly ExpectedWal[] };

describe('the frozen vault v1-wal (S2)', () => {
  let key: KeyWrapper;
  beforeAll(async () => {
    key = await readKeyFile(WAL.copyKey('holdfast.key', temporaryFolder()));
  });

  it.each(wal)('gives a file of kind $kind ($cipher, key number $keyNumber) as it was kept: $sizeBytes bytes', async ({ names, cipher, keyNumber, ...expected }) => {
    const store = await WAL.store();
    for (const name of names) expect([(await store.get(name))[5], (await store.get(name))[11]]).toEqual([cipher === 'aes-256-gcm' ? 1 : 2, keyNumber]);
    const { plan = '' } = parseWalObjectName(names[0] ?? '') ?? {};
    const entry = (await listWal(store, plan)).find(({ objects }) => objects.some(({ name }) => name === names[0]));
    expect(entry).toMatchObject({ kind: expected.kind, isComplete: true, objects: names.map((name) => expect.objectContaining({ name })) });
    const { segmentBytes, sizeBytes, sha256, bytes } = await readWhole(await openFrozen(store, key), entry as WalEntry);
    expect({ kind: entry?.kind, segmentBytes, sizeBytes, sha256: Buffer.from(sha256).toString('hex') }).toEqual(expected);
    expect(bytes.length).toBe(expected.sizeBytes);
  });

  it('has nothing else, and all of it opens', async () => {
    const entries = await everything(await openFrozen(await WAL.store(), key));
    expect(entries.map(({ kind }) => kind).sort()).toEqual(wal.map(({ kind }) => kind).sort());
  });

  it.each(WAL.mustFail)('is refused with $title', async ({ patches, code, says }) => {
    const store: MemoryStore = await WAL.store(patches);
    await expect(everything(await openFrozen(store, key))).rejects.toMatchObject({ code, message: expect.stringContaining(says) });
  });
});

async function everything(repository: Repository): Promise<WalEntry[]> {
  const plans = new Set((await Array.fromAsync(repository.store.list('wal/'))).map(({ name }) => name.split('/')[1] ?? ''));
  const entries: WalEntry[] = [];
  for (const plan of plans) entries.push(...(await listWal(repository.store, plan)));
  for (const entry of entries) await readWhole(repository, entry);
  return entries;
}
