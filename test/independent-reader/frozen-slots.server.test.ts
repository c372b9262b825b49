import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { PythonReader } from './python-reader.ts';
import { VECTORS, frozen } from './vector-sets.ts';

interface Keys {
  readonly repository: string;
  readonly chunker: string;
  readonly pairs: readonly { readonly number: number; readonly meta: string; readonly data: string }[];
}

const reader = new PythonReader();

afterAll(() => reader.stop());

function opened({ chunker, pairs }: Keys, slot: string, scope = 'all'): object {
  const pair = pairs.find(({ number }) => slot.startsWith(`keys/${number}/`));
  return { lines: [{ meta: pair?.meta, chunker, ...(scope === 'all' && { data: pair?.data }) }], refusal: null };
}

describe('slots under KMS', () => {
  interface KmsSlot {
    readonly slot: string;
    readonly scope: string;
    readonly keyEncryptionKey: string;
  }
  const expected = frozen<Keys & { readonly kms: readonly KmsSlot[] }>('kms-slots', 'expected.json');
  const open = (slot: string, kek: string) => reader.ask(['slot', join(VECTORS, 'kms-slots', slot), '--repository', expected.repository, '--kek', kek]);

  test.each(expected.kms)('what KMS answers opens $slot to the keys of scope $scope (K10)', async ({ slot, scope, keyEncryptionKey }) => {
    expect(await open(slot, keyEncryptionKey)).toEqual(opened(expected, slot, scope));
  });

  test('the answer for another slot opens nothing', async () => {
    const [all, meta] = expected.kms as readonly [KmsSlot, KmsSlot];
    expect((await open(all.slot, meta.keyEncryptionKey)).refusal).toMatchObject({ code: 'wrong-key' });
  });
});

describe('slots of a recipient', () => {
  const expected = frozen<Keys & { readonly paper: readonly string[]; readonly slots: readonly string[] }>('recipient-slots', 'expected.json');
  const open = (slot: string, lines: readonly string[]) => {
    const path = join(temporaryFolder(), 'paper');
    writeFileSync(path, ['The private half', ...lines.map((line, index) => `${index + 1}: ${line}`), ''].join('\n'));
    return reader.ask(['slot', join(VECTORS, 'recipient-slots', slot), '--repository', expected.repository, '--private-half', path]);
  };

  test.each(expected.slots)('the lines on paper open %s (K10, K11)', async (slot) => {
    expect(await open(slot, expected.paper)).toEqual(opened(expected, slot));
    expect(await open(slot, expected.paper.map((line) => line.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l')))).toEqual(opened(expected, slot));
  });

  test('a wrong letter and lines that changed places are found (K11)', async () => {
    const [slot] = expected.slots as readonly [string];
    const [first, second, ...others] = expected.paper as readonly [string, string, ...string[]];
    const wrong = first.replace(/^./, (letter) => (letter === '7' ? '8' : '7'));
    for (const lines of [[wrong, second, ...others], [second, first, ...others]]) expect((await open(slot, lines)).refusal).toMatchObject({ code: 'wrong-key', message: expect.stringContaining('line 1') });
  });
});
