import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Person, filesBelow } from './program.ts';

interface SlotRow { readonly slot: string; readonly keyNumber: number; readonly kind: string; readonly label: string }
interface Tested { readonly result: string; readonly key: { readonly path: string }; readonly slots: readonly { readonly keyNumber: number; readonly opens: string }[]; readonly keyNumbers: readonly { readonly number: number; readonly opens: string }[]; readonly backup?: { readonly backup: string }; readonly frames: readonly { readonly keyNumber: number; readonly bytes: number }[]; readonly unopened: readonly string[]; readonly error?: { readonly code: string } }

describe('holdfast keys test and keys remove (K1, K11)', () => {
  const person = new Person();
  const source = person.path('work', 'documents');
  const at = (name: string) => person.path(name);
  const open = (name: string) => ['--vault', person.vault, '--key-file', at(name)];
  const flags = open('key');
  const slotsOf = async (label: string) => (await person.json<SlotRow>(['keys', 'list', ...flags])).filter((row) => row.label === label);

  beforeAll(async () => {
    mkdirSync(source);
    writeFileSync(join(source, 'letter.txt'), 'dear all, under number 1\n');
    writeFileSync(at('words'), 'long and secret words\n', { mode: 0o600 });
    await person.do(['init', '--no-yaml', ...flags]);
    for (const added of [['--new-key-file', at('old.key')], ['--new-passphrase-file', at('words')], ['--new-key-file', at('pruner.key'), '--meta-only']]) await person.do(['keys', 'add', ...added, ...flags]);
  });

  test('a vault without backups: the slots open, and nothing else is claimed', async () => {
    const [tested] = await person.json<Tested>(['keys', 'test', ...flags]);
    expect(tested).toMatchObject({ result: 'good', keyNumbers: [{ number: 1, opens: 'everything' }], frames: [] });
    expect(tested?.backup).toBeUndefined();
  });

  test('the key in use really decodes the newest backup, and contents under every number it is made of', async () => {
    await person.do(['backup', source, ...flags]);
    const [old] = await slotsOf('old.key');
    await person.do(['keys', 'rotate', '--for-passphrase-file', at('words'), '--for-key-file', at('pruner.key'), '--leave-out', old?.slot ?? '', ...flags]);
    writeFileSync(join(source, 'later.txt'), 'under number 2\n');
    const [saved] = await person.json<{ backup: string }>(['backup', source, ...flags]);
    const [tested] = await person.json<Tested>(['keys', 'test', ...flags]);
    expect(tested).toMatchObject({ result: 'good', backup: { backup: saved?.backup }, unopened: [] });
    expect(tested?.frames.map(({ keyNumber, bytes }) => [keyNumber, bytes > 0])).toEqual([[1, true], [2, true]]);
    expect((await person.do(['keys', 'test', ...flags])).stdout).toMatch(/opens everything in this vault\.\n( {2}slot [0-9a-f]{32}, key number [12]: everything\n){2} {2}decoded the backup /);
  });

  test('each that is named is tried by itself; the exit code is that of the worst', async () => {
    writeFileSync(at('wrong.key'), readFileSync(at('key'), 'utf8').replace(/:.{4}/, ':AAAA'), { mode: 0o600 });
    const ran = await person.run(['keys', 'test', '--try-key-file', at('wrong.key'), '--try-key-file', at('absent.key'), '--try-key-file', at('key'), '--try-passphrase-file', at('words'), '--json', ...flags]);
    expect(ran.code).toBe(11);
    expect(ran.stdout.trim().split('\n').map((line) => JSON.parse(line) as Tested).map(({ key, result, error }) => [key.path, result, error?.code])).toEqual([
      [at('wrong.key'), 'failed', 'wrong-key'], [at('absent.key'), 'failed', 'missing-key'], [at('key'), 'good', undefined], [at('words'), 'good', undefined],
    ]);
  });

  test('a key that was left out opens what is old, says what stays closed, and ends with 3', async () => {
    const ran = await person.run(['keys', 'test', '--json', ...open('old.key')]);
    const tested = JSON.parse(ran.stdout) as Tested;
    expect([ran.code, tested.result, tested.keyNumbers]).toEqual([3, 'partly', [{ number: 1, opens: 'everything' }, { number: 2, opens: 'nothing' }]]);
    expect(tested.unopened).toEqual(['Nothing of key number 2: backups since that rotation stay closed to this key.', 'The newest backup is sealed with keys that this one does not open.']);
    expect(tested.frames.map(({ keyNumber }) => keyNumber)).toEqual([1]);
  });

  test('a key for metadata decodes a manifest and claims no contents', async () => {
    const { stdout } = await person.do(['keys', 'test', ...open('pruner.key')]);
    expect(stdout).toContain('opens the metadata of this vault: names and sizes, no contents.');
    expect(stdout).not.toContain('decoded contents');
  });

  test('contents that are damaged are no proof: exit code 12', async () => {
    const copy = at('damaged-vault');
    cpSync(person.vault, copy, { recursive: true, preserveTimestamps: true });
    for (const pack of filesBelow(join(copy, 'packs', 'hot'))) {
      const bytes = readFileSync(pack);
      bytes.writeUInt8(bytes.readUInt8(60) ^ 1, 60);
      writeFileSync(pack, bytes);
    }
    const ran = await person.run(['keys', 'test', '--vault', copy, '--key-file', at('key')]);
    expect([ran.code, ran.stdout]).toEqual([12, expect.stringMatching(/damaged: .*\n[^]*Run `holdfast verify`/)]);
  });

  test('remove shows what it would do, asks, and leaves everything without a yes', async () => {
    const slots = await slotsOf('old.key');
    const dry = await person.do(['keys', 'remove', slots[0]?.slot ?? '', '--dry-run', ...flags]);
    expect(dry.stdout).toMatch(/^REMOVE +KEY +KIND +LABEL +OPENS\n[0-9a-f]{32} +1 +key-file +old\.key +everything\nWhoever has the key of a removed slot/);
    expect(await person.run(['keys', 'remove', slots[0]?.slot ?? '', ...flags])).toMatchObject({ code: 1, stderr: expect.stringContaining('This needs a yes') });
    expect(await slotsOf('old.key')).toEqual(slots);
  });

  test('remove never takes what the key in use needs, or the last slot of a number', async () => {
    const mine = await slotsOf('key');
    const own = await person.run(['keys', 'remove', mine[0]?.slot ?? '', '--yes', ...flags]);
    expect([own.code, own.stderr]).toEqual([1, expect.stringMatching(/by a slot that is to be removed, so nothing proves that a slot which stays can be opened\.\nOpen the vault with a key that stays/)]);
    const all = (await person.json<SlotRow>(['keys', 'list', ...flags])).map(({ slot }) => slot);
    const everything = await person.run(['keys', 'remove', ...all, '--yes', '--json', ...flags]);
    expect([everything.code, JSON.parse(everything.stderr)]).toMatchObject([1, { code: 'refused', message: expect.stringContaining('No slot would be left that opens key number 1 in full') }]);
    expect(await person.json<SlotRow>(['keys', 'list', ...flags])).toHaveLength(all.length);
  });

  test('a removed slot opens nothing any more; a copy of it does, as the command said', async () => {
    const before = at('copy');
    cpSync(person.vault, before, { recursive: true, preserveTimestamps: true });
    await person.do(['keys', 'remove', ...(await slotsOf('old.key')).map(({ slot }) => slot), '--yes', ...flags]);
    expect((await person.run(['keys', 'test', ...open('old.key')])).code).toBe(11);
    expect((await person.run(['keys', 'test', '--vault', before, '--key-file', at('old.key')])).code).toBe(3);
    expect((await person.do(['keys', 'test', ...flags])).stdout).toContain('opens everything');
    expect(readdirSync(join(person.vault, 'keys', '1'))).toHaveLength(3);
  });

  test('no key and no passphrase is in anything that was said', () => {
    const secrets = ['key', 'old.key', 'pruner.key'].map((name) => /holdfast-key-1:(.*)/.exec(readFileSync(at(name), 'utf8'))?.[1] ?? '');
    for (const secret of [...secrets, 'long and secret']) expect(person.said.includes(secret)).toBe(false);
  });
});
