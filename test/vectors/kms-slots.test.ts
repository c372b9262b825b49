import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { KmsScope, Unlocker } from '../../lib/keyring/key-slot.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';

interface Expected {
  readonly repository: RepositoryId;
  readonly chunker: string;
  readonly pairs: readonly { readonly number: number; readonly meta: string; readonly data: string }[];
  /** What KMS answers for the ciphertext of each slot. */
  readonly kms: readonly { readonly slot: string; readonly scope: KmsScope; readonly keyEncryptionKey: string }[];
}

const FOLDER = join(__dirname, 'kms-slots');
const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as Expected;
const texts = new Map(expected.kms.map(({ slot }) => [slot, readFileSync(join(FOLDER, slot), 'utf8')]));

describe('the frozen key slots under KMS of format version 1 (§3)', () => {
  it('are all there and no others', () => {
    const found = readdirSync(join(FOLDER, 'keys'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(found).toHaveLength(expected.kms.length);
  });

  it('open to the keys of every number with scope all, and to metadata alone with scope meta', async () => {
    const plain = ({ pairs, chunker }: Awaited<ReturnType<typeof openSlots>>) => ({ chunker: hex(chunker), pairs: pairs.map(({ number, meta, data }) => ({ number, meta: hex(meta), ...(data && { data: hex(data) }) })) });
    const { chunker, pairs } = expected;
    expect(plain(await open('all'))).toEqual({ chunker, pairs });
    expect(plain(await open('meta'))).toEqual({ chunker, pairs: pairs.map(({ number, meta }) => ({ number, meta })) });
  });

  it.each<[string, (json: Slot) => void, string]>([
    ['whose scope was widened', (json) => void (json.kdf['scope'] = 'all'), 'kdf.scope: scope all holds the data key, scope meta does not'],
    ['whose key is no ARN', (json) => void (json.kdf['key'] = 'alias/evil'), 'kdf.key: wanted the ARN of a KMS key'],
    ['with more in its kdf', (json) => void (json.kdf['N'] = 1), 'kdf: Unrecognized key: "N"'],
    ['without a ciphertext', (json) => void (json.kdf['ciphertext'] = ''), 'kdf.ciphertext: wanted 1 to 6144 bytes in base64'],
    ['with a ciphertext that is too long', (json) => void (json.kdf['ciphertext'] = Buffer.alloc(6145).toString('base64')), 'kdf.ciphertext: wanted 1 to 6144 bytes in base64'],
    ['with the kdf of a passphrase', (json) => void (json.kdf = { name: 'scrypt', N: 65536, r: 8, p: 1 }), 'kdf.name:'],
    ['with a data key that was given back', (json) => void (json.wrapped['data'] = json.wrapped['meta'] as string), 'kdf.scope: scope all holds the data key, scope meta does not'],
  ])('are refused %s', async (_, spoil, complaint) => {
    const { slot } = expected.kms[1]!;
    const json = JSON.parse(texts.get(slot) as string) as Slot;
    spoil(json);
    const { problems } = await open('all', new Map([...texts, [slot, JSON.stringify(json)]]));
    expect(problems.map(({ code, message }) => [code, message])).toEqual([['damaged', expect.stringContaining(complaint)]]);
  });
});

interface Slot {
  kdf: Record<string, unknown>;
  readonly wrapped: Record<string, string>;
}

async function open(scope: KmsScope, objects: ReadonlyMap<string, string> = texts) {
  const store = new MemoryStore({ now: () => 0 });
  for (const [name, text] of objects) await store.put(name, Buffer.from(text));
  return openSlots(store, expected.repository, unlocker(scope));
}

/** KMS with a list of answers. */
function unlocker(scope: KmsScope): Unlocker {
  const answers = new Map(expected.kms.map(({ slot, keyEncryptionKey }) => [(JSON.parse(texts.get(slot) as string) as Slot).kdf['ciphertext'], Buffer.from(keyEncryptionKey, 'hex')]));
  return {
    kind: 'kms',
    keyEncryptionKey: async ({ kdf }) => (kdf?.name === 'kms' && kdf.scope === scope ? answers.get(Buffer.from(kdf.ciphertext).toString('base64')) : undefined),
  };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
