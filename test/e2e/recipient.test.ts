import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Person, describeTree, filesBelow } from './program.ts';

interface SlotRow { readonly slot: string; readonly keyNumber: number; readonly kind: string }

/** One person, a vault that knew no recipient at first, and a paper. */
describe('a key on paper, from its making to the day that it is needed (K11)', () => {
  const person = new Person();
  const source = person.path('work', 'documents');
  const paper = person.path('office.paper');
  const recipient = person.path('office.recipient');
  const yaml = person.path('work', 'holdfast.yaml');
  const opened = ['--recipient-key-file', person.path('recovery.key')];

  beforeAll(async () => {
    mkdirSync(source);
    writeFileSync(join(source, 'letter.txt'), 'dear all\n');
    await person.do(['init', '--vault', person.vault, '--key-file', person.path('key')]);
    writeFileSync(yaml, readFileSync(yaml, 'utf8').replace('paths: ["."]', 'paths: ["documents"]'));
    await person.do(['backup', 'folder']);
  });

  test('a backup gives a recipient of the configuration its slot, and says so once', async () => {
    await person.do(['keys', 'make-recipient', recipient, '--paper-file', paper]);
    writeFileSync(yaml, readFileSync(yaml, 'utf8').replace('# recipients: [office.recipient]', `recipients: [${JSON.stringify(recipient)}]`));
    const saved = await person.do(['backup', 'folder']);
    expect(saved.stderr).toContain(`The recipient ${recipient} had no slot for key number 1 of this vault: added.`);
    expect((await person.do(['backup', 'folder'])).stderr).not.toContain('had no slot');
    expect((await person.json<SlotRow>(['keys', 'list'])).map(({ kind }) => kind).toSorted()).toEqual(['key-file', 'recipient']);
  });

  test('a rotation needs no paper, and a backup after it is open to the paper, too', async () => {
    await person.do(['keys', 'rotate']);
    writeFileSync(join(source, 'later.txt'), 'after the rotation\n');
    expect((await person.do(['backup', 'folder'])).stderr).not.toContain('had no slot');
  });

  test('a recipient that cannot be read costs a warning and no backup', async () => {
    const text = readFileSync(recipient, 'utf8');
    writeFileSync(recipient, text.slice(0, -200));
    const saved = await person.run(['backup', 'folder']);
    expect([saved.code, saved.stderr]).toEqual([3, expect.stringMatching(/The recipient \S+ of the configuration gets no keys of this vault, so its paper would not open this backup: .*is not the public half/)]);
    rmSync(recipient);
    expect((await person.run(['backup', 'folder'])).code).toBe(3);
    writeFileSync(recipient, text);
  });

  test('the key file is lost: what stands on the paper is typed, and everything comes back', async () => {
    rmSync(person.path('key'));
    const lost = await person.run(['restore', 'latest', '--to', person.path('none')]);
    expect([lost.code, lost.stderr]).toEqual([11, expect.stringContaining('Or open the vault with the paper whose fingerprint is')]);
    await person.do(['keys', 'read-paper', '--to', person.path('recovery.key')], readFileSync(paper));
    await person.do(['restore', 'latest', '--to', person.path('restored'), '--vault', person.vault, ...opened]);
    expect(describeTree(person.path('restored'))).toEqual(describeTree(source));
    expect((await person.do(['verify', '--level', 'full', ...opened])).stdout).toContain('Good: ');
  });

  test('a slip of the pen is told with its line, exit code 11, and writes nothing', async () => {
    const wrong = readFileSync(paper, 'utf8').replace(/^( *3: {2})(.)/m, (_, head: string, letter: string) => head + (letter === '7' ? '8' : '7'));
    const ran = await person.run(['keys', 'read-paper', '--to', person.path('wrong.key')], wrong);
    expect([ran.code, ran.stdout, ran.stderr]).toEqual([11, '', expect.stringMatching(/^holdfast: Line 3 of the paper is not right: a letter in it is wrong[^\n]*\n[^\n]*\n$/)]);
    expect(() => readFileSync(person.path('wrong.key'))).toThrow();
  });

  test('the paper makes no backups; a new key file and new keys do, and the paper opens those as well', async () => {
    const refused = await person.run(['backup', 'folder', ...opened]);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('The key of a recipient is for getting data back')]);
    const fresh = ['--key-file', person.path('new.key')];
    await person.do(['keys', 'add', '--new-key-file', person.path('new.key'), ...opened]);
    const asked = await person.run(['keys', 'rotate', ...fresh]);
    const [, lost = ''] = /would leave out 1 .* now: ([0-9a-f]{32}) \(key-file, key\)/.exec(asked.stderr) ?? [];
    await person.do(['keys', 'rotate', '--leave-out', lost, ...fresh]);
    writeFileSync(join(source, 'much later.txt'), 'under number 3\n');
    await person.do(['backup', 'folder', ...fresh]);
    await person.do(['restore', 'latest', '--to', person.path('again'), ...opened]);
    expect(describeTree(person.path('again'))).toEqual(describeTree(source));
  });

  test('nothing of the secret is in the vault, in the public half, or in anything that was said', () => {
    const lines = [...readFileSync(paper, 'utf8').matchAll(/^ *[1-5]: {2}([0-9A-Z ]{17})$/gm)].map(([, line]) => line as string);
    expect(lines).toHaveLength(5);
    const places = [person.said, readFileSync(recipient, 'latin1'), ...filesBelow(person.vault).map((file) => readFileSync(file, 'latin1')), ...filesBelow(person.path('xdg')).map((file) => readFileSync(file, 'latin1'))];
    const secrets = [...lines, ...lines.map((line) => line.replaceAll(' ', '')), ...lines.map((line) => line.slice(0, 9))];
    for (const place of places) for (const secret of secrets) expect(place.includes(secret)).toBe(false);
  });
});
