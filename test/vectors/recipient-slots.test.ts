import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { recipientUnlocker } from '../../lib/keyring/recipient.ts';
import { joinPaperLines, paperLines, parsePaper, parsePaperLine } from '../../lib/keyring/recipient/paper.ts';
import { fingerprintOf, parseRecipient } from '../../lib/keyring/recipient/public-half.ts';
import { xWingKey } from '../../lib/keyring/recipient/x-wing.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';

interface Expected {
  readonly repository: RepositoryId;
  readonly seed: string;
  readonly paper: readonly string[];
  readonly fingerprint: string;
  readonly chunker: string;
  readonly pairs: readonly { readonly number: number; readonly meta: string; readonly data: string }[];
  readonly slots: readonly [one: string, two: string];
}

const FOLDER = join(__dirname, 'recipient-slots');
const expected = JSON.parse(readFileSync(join(FOLDER, 'expected.json'), 'utf8')) as Expected;
const [ONE, TWO] = expected.slots;
const texts = new Map(expected.slots.map((slot) => [slot, readFileSync(join(FOLDER, slot), 'utf8')]));
const seed = Buffer.from(expected.seed, 'hex');

describe('the frozen key slots of a recipient of format version 1 (§3, K11)', () => {
  it('are all there and no others', () => {
    const found = readdirSync(join(FOLDER, 'keys'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(found).toHaveLength(expected.slots.length);
  });

  it('open to the keys of every number with the secret, and with what stands on its paper', async () => {
    for (const secret of [seed, parsePaper(expected.paper.map((line, index) => `${index + 1}: ${line}`).join('\n'))]) {
      const { chunker, pairs } = await open(secret);
      expect({ chunker: hex(chunker), pairs: pairs.map(({ number, meta, data }) => ({ number, meta: hex(meta), data: hex(data!) })) }).toEqual({ chunker: expected.chunker, pairs: expected.pairs });
    }
  });

  it('belong to the public half that lies beside them, and the secret is written as on the paper', () => {
    const { publicKey } = parseRecipient(readFileSync(join(FOLDER, 'safe.recipient'), 'utf8'), 'f', 'l');
    expect(hex(publicKey)).toBe(hex(xWingKey(seed).publicKey));
    expect(hex(fingerprintOf(publicKey))).toBe(expected.fingerprint);
    expect(paperLines(seed)).toEqual(expected.paper);
    expect(joinPaperLines(expected.paper.map((line, index) => parsePaperLine(index + 1, line)))).toEqual(seed);
  });

  const NOT_FOR_IT = 'it names this recipient and does not open with it';
  it.each<[string, (json: Slot) => void, string]>([
    ['whose ML-KEM and X25519 ciphertexts changed places', (json) => void (json.kdf.ciphertext = spliced(json, (bytes) => [bytes.subarray(1088), bytes.subarray(0, 1088)])), NOT_FOR_IT],
    ['with the ciphertext of the other number', (json) => void (json.kdf.ciphertext = parsed(TWO).kdf.ciphertext), NOT_FOR_IT],
    ['with the X25519 share of the other number', (json) => void (json.kdf.ciphertext = spliced(json, (bytes) => [bytes.subarray(0, 1088), bytesOf(parsed(TWO)).subarray(1088)])), NOT_FOR_IT],
    ['with an altered ML-KEM ciphertext', (json) => void (json.kdf.ciphertext = spliced(json, (bytes) => [Buffer.from([bytes.readUInt8(0) ^ 1]), bytes.subarray(1)])), NOT_FOR_IT],
    ['with an X25519 point of low order', (json) => void (json.kdf.ciphertext = spliced(json, (bytes) => [bytes.subarray(0, 1088), Buffer.alloc(32)])), NOT_FOR_IT],
    ['with the name of another public key', (json) => void (json.kdf.recipient = Buffer.alloc(32, 7).toString('base64')), 'it opens with this recipient and names another one'],
    ['with a salt of another slot', (json) => void (json.salt = parsed(TWO).salt), NOT_FOR_IT],
    ['with a check value of another slot', (json) => void (json.check = parsed(TWO).check), NOT_FOR_IT],
    ['with a ciphertext that is cut off', (json) => void (json.kdf.ciphertext = spliced(json, (bytes) => [bytes.subarray(0, 1119)])), 'kdf.ciphertext: wanted 1120 bytes in base64'],
    ['with a ciphertext that is too long', (json) => void (json.kdf.ciphertext = spliced(json, (bytes) => [bytes, Buffer.alloc(1)])), 'kdf.ciphertext: wanted 1120 bytes in base64'],
    ['with a fingerprint that is cut off', (json) => void (json.kdf.recipient = Buffer.alloc(31).toString('base64')), 'kdf.recipient: wanted 32 bytes in base64'],
    ['with more in its kdf', (json) => void ((json.kdf as Record<string, unknown>)['N'] = 1), 'kdf: Unrecognized key: "N"'],
    ['with another name of its kdf', (json) => void (json.kdf.name = 'ml-kem-768'), 'kdf.name:'],
    ['with a wrapped key of the other slot', (json) => void (json.wrapped['data'] = parsed(TWO).wrapped['data'] as string), 'the keys in the slot are not what was wrapped there'],
  ])('are refused %s', async (_, spoil, complaint) => {
    const json = parsed(ONE);
    spoil(json);
    const { problems, pairs } = await open(seed, new Map([...texts, [ONE, JSON.stringify(json)]]));
    expect(problems.map(({ code, message }) => [code, message])).toEqual([['damaged', expect.stringContaining(complaint)]]);
    expect(pairs.map(({ number }) => number)).toEqual([2]);
  });

  it('are refused under another number and in another vault, though their JSON says so', async () => {
    const other = 'f'.repeat(32) as RepositoryId;
    const moved = ONE.replace('keys/1/', 'keys/3/');
    const underThree = await open(seed, new Map([...texts, [moved, JSON.stringify({ ...parsed(ONE), keyNumber: 3 })]]));
    expect([underThree.pairs.map(({ number }) => number), underThree.problems[0]?.message]).toEqual([[1, 2], expect.stringContaining(NOT_FOR_IT)]);
    const elsewhere = new Map([[ONE, JSON.stringify({ ...parsed(ONE), repository: other })]]);
    await expect(open(seed, elsewhere, other)).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining(NOT_FOR_IT) });
    await expect(open(seed, texts, other)).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('it belongs to repository') });
  });

  it('do not open with a secret of which one bit is another', async () => {
    for (const at of [0, 31]) {
      const other = Buffer.from(seed);
      other.writeUInt8(other.readUInt8(at) ^ 1, at);
      await expect(open(other)).rejects.toMatchObject({ code: 'wrong-key' });
    }
  });
});

interface Slot {
  readonly kdf: { name: string; recipient: string; ciphertext: string };
  salt: string;
  check: string;
  readonly wrapped: Record<string, string>;
}

async function open(secret: Uint8Array, objects: ReadonlyMap<string, string> = texts, repository = expected.repository) {
  const store = new MemoryStore({ now: () => 0 });
  for (const [name, text] of objects) await store.put(name, Buffer.from(text));
  return openSlots(store, repository, recipientUnlocker(secret));
}

function parsed(name: string): Slot {
  return JSON.parse(texts.get(name) as string) as Slot;
}

function bytesOf(json: Slot): Buffer {
  return Buffer.from(json.kdf.ciphertext, 'base64');
}

function spliced(json: Slot, parts: (bytes: Buffer) => readonly Uint8Array[]): string {
  return Buffer.concat(parts(bytesOf(json))).toString('base64');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
