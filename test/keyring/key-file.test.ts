import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import type { HoldfastError } from '../../lib/model/errors.ts';
import { createKeyFile, readKeyFile } from '../../lib/keyring/key-file.ts';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { passphraseWrapper, readPassphraseFile } from '../../lib/keyring/passphrase.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-keys-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('a key file (K1)', () => {
  it('is made with mode 0600 in folders of mode 0700, and read back to the same key', async () => {
    const path = join(folder, 'a', 'b', 'key');
    const made = await createKeyFile(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
    expect(readFileSync(path, 'utf8')).toMatch(/^(#.*\n)+holdfast-key-1:[A-Za-z0-9+/]{43}=\n$/);
    expect(await kek(await readKeyFile(path))).toEqual(await kek(made));
  });

  it('is mode 0600 also under a umask that would take the owner his rights', async () => {
    const before = process.umask(0o777);
    try {
      mkdirSync(join(folder, 'x'));
      chmodSync(join(folder, 'x'), 0o700);
      await createKeyFile(join(folder, 'x', 'key'));
    } finally {
      process.umask(before);
    }
    expect(statSync(join(folder, 'x', 'key')).mode & 0o777).toBe(0o600);
  });

  it('is never overwritten', async () => {
    const path = join(folder, 'key');
    await createKeyFile(path);
    const before = readFileSync(path);
    expect((await failure(createKeyFile(path))).code).toBe('already-exists');
    expect(readFileSync(path)).toEqual(before);
  });

  it.each([0o640, 0o604, 0o660, 0o644, 0o602])('of mode %o is refused with the command that mends it', async (mode) => {
    const path = join(folder, "it's my key");
    await createKeyFile(path);
    chmodSync(path, mode);
    const error = await failure(readKeyFile(path));
    expect(error).toMatchObject({ code: 'permission', message: expect.stringContaining(`0${mode.toString(8)}`) });
    expect(error.nextStep).toMatch(/^chmod 600 /);
    expect(spawnSync('sh', ['-c', error.nextStep as string]).status).toBe(0);
    await readKeyFile(path);
  });

  it('that is absent is a missing key', async () => {
    expect(await failure(readKeyFile(join(folder, 'none')))).toMatchObject({ code: 'missing-key', message: expect.stringContaining('none is not there') });
  });

  it('may be a folder or endless by mistake, and is refused at once', async () => {
    expect((await failure(readKeyFile(folder))).code).toBe('missing-key');
    expect((await failure(readKeyFile('/dev/zero'))).code).toBe('missing-key');
  });

  it.each([
    ['nothing', '# only a comment\n'],
    ['two keys', `holdfast-key-1:${SECRET()}\nholdfast-key-1:${SECRET()}\n`],
    ['a short key', `holdfast-key-1:${SECRET().slice(0, 20)}\n`],
    ['a long key', `holdfast-key-1:${randomBytes(33).toString('base64')}\n`],
    ['another line', `${SECRET()}\n`],
    ['noise in the base64', `holdfast-key-1:${SECRET().slice(0, 40)}*${SECRET().slice(40)}\n`],
  ])('with %s is refused, and its content is not shown', async (_what, text) => {
    const path = join(folder, 'key');
    writeFileSync(path, text, { mode: 0o600 });
    const error = await failure(readKeyFile(path));
    expect(error.code).toBe('missing-key');
    for (const word of text.split(/[\n:]/).filter((piece) => piece.length > 15 && !piece.startsWith('#'))) expect(allOf(error)).not.toContain(word.slice(0, 12));
  });

  it('of a newer version is refused as such', async () => {
    const path = join(folder, 'key');
    writeFileSync(path, `holdfast-key-2:${SECRET()}\n`, { mode: 0o600 });
    expect((await failure(readKeyFile(path))).code).toBe('unsupported-version');
  });
});

describe('a passphrase file', () => {
  it.each([
    ['a line end', 'correct horse\n', 'correct horse'],
    ['a Windows line end', 'correct horse\r\n', 'correct horse'],
    ['no line end', 'correct horse', 'correct horse'],
    ['more lines', 'correct horse\nnote: the blue one\n', 'correct horse'],
    ['spaces around, which belong to it', ' correct horse \n', ' correct horse '],
  ])('with %s gives its first line', async (_what, text, wanted) => {
    const path = join(folder, 'passphrase');
    writeFileSync(path, text);
    expect(await kek(await readPassphraseFile(path))).toEqual(await kek(passphraseWrapper(wanted)));
  });

  it.each([
    ['is empty', ''],
    ['begins with an empty line', '\ncorrect horse\n'],
    ['is not UTF-8', Buffer.from([0x63, 0xff, 0x64, 0x0a])],
  ])('that %s is refused', async (_what, content) => {
    const path = join(folder, 'passphrase');
    writeFileSync(path, content);
    const error = await failure(readPassphraseFile(path));
    expect(error.code).toBe('missing-key');
    expect(allOf(error)).not.toContain('horse');
  });

  it('that is absent is a missing key', async () => {
    expect((await failure(readPassphraseFile(join(folder, 'none')))).code).toBe('missing-key');
  });
});

function SECRET(): string {
  return randomBytes(32).toString('base64');
}

/** Cheap parameters: the default cost is for people who guess. */
async function kek(wrapper: KeyWrapper): Promise<string> {
  const kdf = wrapper.kdf && ({ name: 'scrypt', N: 16384, r: 8, p: 1 } as const);
  return Buffer.from(await wrapper.keyEncryptionKey({ repository: newHexId<RepositoryId>(), keyNumber: 1, salt: Buffer.alloc(32, 1), kdf })).toString('hex');
}

function allOf(error: HoldfastError): string {
  return `${error.stack} ${error.nextStep} ${JSON.stringify(error.data)} ${String(error.cause)}`;
}

async function failure(work: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await work.then(() => 'it succeeded', (error: unknown) => error);
  if (isHoldfastError(outcome)) return outcome;
  throw new Error(`wanted a HoldfastError, saw ${String(outcome)}`);
}
