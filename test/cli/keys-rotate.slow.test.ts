import { writeFileSync } from 'node:fs';
import { Desk } from './run-in-process.ts';

interface SlotRow {
  readonly slot: string;
  readonly keyNumber: number;
  readonly kind: string;
  readonly label: string;
}

/** A vault that its key file, a passphrase and a key for metadata open. */
async function desk(): Promise<Desk> {
  const made = new Desk();
  writeFileSync(made.path('words'), 'long and secret words\n', { mode: 0o600 });
  await made.do('init', '--vault', 'vault', '--key-file', 'key');
  await made.do('keys', 'add', '--new-passphrase-file', 'words');
  await made.do('keys', 'add', '--new-key-file', 'pruner.key', '--meta-only');
  return made;
}

describe('holdfast keys rotate (K1)', () => {
  it('is refused while it would leave somebody out in silence: shows who, and changes nothing', async () => {
    const at = await desk();
    const ran = await at.run('keys', 'rotate');
    expect(ran.code).not.toBe(0);
    expect(ran.stderr).toMatch(/Key number 2 would leave out 2 of the keys that open this vault now: [0-9a-f]{32} \(key-file, pruner\.key\), [0-9a-f]{32} \(passphrase, passphrase\)\./);
    expect(ran.stderr).toContain('--leave-out SLOT');
    expect(ran.stdout).toContain('Key number 2 would be added:');
    expect((await at.json<SlotRow>('keys', 'list')).map(({ keyNumber }) => keyNumber)).toEqual([1, 1, 1]);
  });

  it('shows with --dry-run who would open what, and changes nothing', async () => {
    const at = await desk();
    const table = await at.do('keys', 'rotate', '--dry-run', '--for-passphrase-file', 'words', '--for-key-file', 'pruner.key');
    expect(table.split('\n').map((line) => line.trim().replace(/\s{2,}/g, ' | ').replace(/ \| [0-9a-f]{32}$/, ''))).toEqual([
      'Key number 2 would be added:', 'KIND | LABEL | OPENS | OLD BACKUPS | NEW BACKUPS | SLOT', 'key-file | key | everything | yes | yes', 'key-file | pruner.key | metadata | yes | yes', 'passphrase | passphrase | everything | yes | yes', '',
    ]);
    expect(await at.json('keys', 'list')).toHaveLength(3);
  });

  it('gives new keys to those that are named, and leaves out who is left out; programs read it as JSON', async () => {
    const at = await desk();
    const slots = await at.json<SlotRow>('keys', 'list');
    const words = slots.find(({ kind }) => kind === 'passphrase')!;
    const [result] = await at.json('keys', 'rotate', '--for-key-file', 'pruner.key', '--leave-out', words.slot.slice(0, 6));
    expect(result).toMatchObject({
      type: 'keys-rotated', keyNumber: 2, done: true,
      access: [{ label: 'key', opens: 'everything', upTo: 1, getsNew: true }, { label: 'pruner.key', opens: 'metadata', upTo: 1, getsNew: true }, { slot: words.slot, label: 'passphrase', upTo: 1, getsNew: false }],
    });
    expect((await at.json<SlotRow>('keys', 'list')).map(({ keyNumber, label }) => `${keyNumber} ${label}`).toSorted()).toEqual(['1 key', '1 passphrase', '1 pruner.key', '2 key', '2 pruner.key']);
    const left = await at.run('keys', 'rotate', '--vault', 'vault', '--passphrase-file', 'words');
    expect(left).toMatchObject({ stderr: expect.stringContaining('This key was left out of the rotation to key number 2') });
  });

  it('with a slot that is not there, or a key for metadata, is refused', async () => {
    const at = await desk();
    expect(await at.run('keys', 'rotate', '--leave-out', 'ffffffff')).toMatchObject({ code: 2, stderr: expect.stringContaining('--leave-out is "ffffffff", wanted the id of a slot of the current key number') });
    expect(await at.run('keys', 'rotate', '--vault', 'vault', '--key-file', 'pruner.key')).toMatchObject({ stderr: expect.stringContaining('This key opens metadata only') });
  });
});
