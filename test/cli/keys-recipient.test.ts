import { chmodSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Desk } from './run-in-process.ts';

interface SlotRow {
  readonly slot: string;
  readonly keyNumber: number;
  readonly kind: string;
  readonly label: string;
  readonly fingerprint?: string;
}

const LINE = /^ *[1-5]: {2}([0-9A-Z ]{17})$/gm;

/** A desk with a recipient and its paper in a file. */
async function desk(): Promise<Desk & { readonly lines: readonly string[] }> {
  const at = new Desk();
  await at.do('keys', 'make-recipient', 'office.recipient', '--paper-file', 'office.paper');
  return Object.assign(at, { lines: [...readFileSync(at.path('office.paper'), 'utf8').matchAll(LINE)].map(([, line]) => line as string) });
}

const summary = (rows: readonly SlotRow[]) => rows.map(({ keyNumber, kind, label }) => `${keyNumber} ${kind} ${label}`).toSorted();

describe('holdfast keys make-recipient (K11)', () => {
  it('writes the public half, and a paper of one sheet for its owner alone; the secret is nowhere else', async () => {
    const at = new Desk();
    const ran = await at.run('keys', 'make-recipient', 'office.recipient', '--paper-file', 'office.paper', '--json');
    expect([ran.code, JSON.parse(ran.stdout)]).toMatchObject([0, { type: 'recipient-made', recipient: at.path('office.recipient'), paper: at.path('office.paper') }]);
    const paper = readFileSync(at.path('office.paper'), 'utf8');
    expect(statSync(at.path('office.paper')).mode & 0o777).toBe(0o600);
    expect(paper.split('\n').length).toBeLessThanOrEqual(60);
    expect(Math.max(...paper.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(78);
    const lines = [...paper.matchAll(LINE)].map(([, line]) => line as string);
    expect(lines).toHaveLength(5);
    for (const group of lines.flatMap((line) => line.split(' ').slice(0, 3))) expect(ran.stdout + ran.stderr + readFileSync(at.path('office.recipient'), 'utf8')).not.toContain(` ${group} `);
  });

  it('prints the paper when no file is named, and what to do with it beside', async () => {
    const at = new Desk();
    const { stdout, stderr } = await at.run('keys', 'make-recipient', 'office.recipient');
    expect([...stdout.matchAll(LINE)]).toHaveLength(5);
    expect(stderr).toContain('Put the paper into a safe, and type it once with `holdfast keys read-paper`.');
    expect(stderr).not.toMatch(LINE);
  });

  it('never overwrites, and prints no secret into a stream of JSON', async () => {
    const at = await desk();
    const before = readFileSync(at.path('office.recipient'), 'utf8');
    expect(await at.run('keys', 'make-recipient', 'office.recipient')).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('never overwritten') });
    expect(await at.run('keys', 'make-recipient', 'other.recipient', '--paper-file', 'office.paper')).toMatchObject({ code: 1, stderr: expect.stringContaining('The paper') });
    expect(await at.run('keys', 'make-recipient', 'other.recipient', '--json')).toMatchObject({ code: 2, stdout: '' });
    expect(readFileSync(at.path('office.recipient'), 'utf8')).toBe(before);
  });
});

describe('holdfast keys read-paper (K11)', () => {
  it('takes the lines as a person types them, asks again for one that is wrong, and writes a key file', async () => {
    const at = await desk();
    const [one, ...others] = at.lines as [string, ...string[]];
    const wrong = one.replace(/^./, (letter) => (letter === '7' ? '8' : '7'));
    at.typed = [wrong, `1: ${one.toLowerCase()}`, ...others, ''].join('\n');
    const ran = await at.run('keys', 'read-paper', '--to', 'recovery.key');
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/^The paper is whole\. Its fingerprint is ([0-9a-f]{4} ?){4}\.\nWrote /) });
    expect(ran.stderr).toContain('Line 1 of the paper is not right: a letter in it is wrong');
    expect(ran.stderr).toContain('Line 1 of 5: ');
    expect(statSync(at.path('recovery.key')).mode & 0o777).toBe(0o600);
    expect(ran.stdout + ran.stderr).not.toContain(one);
  });

  it('says how far it came when the input ends, and writes nothing', async () => {
    const at = await desk();
    at.typed = at.lines.slice(0, 3).join('\n');
    expect(await at.run('keys', 'read-paper', '--to', 'recovery.key')).toMatchObject({ code: 130, stderr: expect.stringContaining('The input ended before line 4 of the paper; nothing was written.') });
    expect(() => statSync(at.path('recovery.key'))).toThrow();
  });

  it('makes the public half again, the same', async () => {
    const at = await desk();
    at.typed = at.lines.join('\n');
    await at.do('keys', 'read-paper', '--public-to', 'again.recipient');
    expect(readFileSync(at.path('again.recipient'), 'utf8')).toBe(readFileSync(at.path('office.recipient'), 'utf8'));
  });
});

describe('a vault with an offline recipient (K11)', () => {
  it('made with --recipient opens with the paper alone when the key file is lost, and gives out a new key file', async () => {
    const at = await desk();
    const made = await at.do('init', '--vault', 'vault', '--key-file', 'key', '--recipient', 'office.recipient');
    expect(made).not.toContain('Without it nothing');
    expect(readFileSync(at.path('holdfast.yaml'), 'utf8')).toContain(`recipients: ["${at.path('office.recipient')}"]`);
    rmSync(at.path('key'));
    const lost = await at.run('keys', 'list');
    expect([lost.code, lost.stderr]).toEqual([11, expect.stringMatching(/Or open the vault with the paper whose fingerprint is ([0-9a-f]{4} ?){4}: `holdfast keys read-paper --to FILE`, then --recipient-key-file FILE\./)]);
    const said = await at.do('keys', 'add', '--new-key-file', 'new.key', '--recipient-key-file', 'office.paper');
    expect(said).toContain('Now run `holdfast keys rotate` with the new key before you back up');
    expect(summary(await at.json<SlotRow>('keys', 'list', '--key-file', 'new.key'))).toEqual(['1 key-file key', '1 key-file new.key', '1 recipient office.recipient']);
  });

  it('is looked at by doctor: whether its paper opens every key number', async () => {
    const at = await desk();
    await at.do('init', '--vault', 'vault', '--key-file', 'key', '--recipient', 'office.recipient');
    const row = async () => (await at.run('doctor', '--no-probe', '--json')).stdout.trim().split('\n').map((line) => JSON.parse(line) as { check: string; result: string; seen: string }).find(({ check }) => check === 'offline recipient');
    expect(await row()).toMatchObject({ result: 'ok', seen: expect.stringMatching(/office\.recipient, fingerprint ([0-9a-f]{4} ?){4}: a slot for every key number$/) });
    writeFileSync(at.path('bare.yaml'), `vaults: { main: { directory: vault, key-file: key } }\n`);
    const [slot] = (await at.json<SlotRow>('keys', 'list')).filter(({ kind }) => kind === 'recipient');
    await at.do('keys', 'rotate', '--config', 'bare.yaml', '--leave-out', slot!.slot);
    expect(await row()).toMatchObject({ result: 'warning', seen: expect.stringContaining('no slot for key number 2') });
    rmSync(at.path('office.recipient'));
    expect(await row()).toMatchObject({ result: 'failed', seen: expect.stringContaining('office.recipient is not there') });
  });

  it('gets the new keys in a rotation because the configuration names it, without its private half', async () => {
    const at = await desk();
    await at.do('init', '--vault', 'vault', '--key-file', 'key', '--recipient', 'office.recipient');
    rmSync(at.path('office.paper'));
    await at.do('keys', 'rotate');
    expect(summary(await at.json<SlotRow>('keys', 'list'))).toEqual(['1 key-file key', '1 recipient office.recipient', '2 key-file key', '2 recipient office.recipient']);
    await at.do('keys', 'rotate', '--for-recipient', 'office.recipient');
    expect(await at.json<SlotRow>('keys', 'list')).toHaveLength(6);
  });

  it('that no configuration names is asked for by name before a rotation', async () => {
    const at = await desk();
    await at.do('init', '--vault', 'vault', '--key-file', 'key', '--no-yaml');
    expect(await at.do('keys', 'add', '--recipient', 'office.recipient', '--vault', 'vault', '--key-file', 'key')).toContain('Name it under `recipients` of the vault in holdfast.yaml');
    const flags = ['--vault', 'vault', '--key-file', 'key'];
    expect(await at.do('keys', 'add', '--recipient', 'office.recipient', ...flags)).toContain('Nothing was added: office.recipient had a slot for every key number');
    expect(await at.run('keys', 'add', '--recipient', 'office.recipient', '--meta-only', ...flags)).toMatchObject({ code: 2, stderr: expect.stringContaining('--meta-only does not go with --recipient') });
    await at.do('keys', 'add', '--new-key-file', 'pruner.key', '--meta-only', ...flags);
    expect(await at.run('keys', 'add', '--recipient', 'office.recipient', '--vault', 'vault', '--key-file', 'pruner.key')).toMatchObject({ code: 11, stderr: expect.stringContaining('This key opens metadata only') });
    expect(await at.run('keys', 'add', ...flags)).toMatchObject({ code: 2, stderr: expect.stringContaining('Wanted exactly one of') });
    expect(await at.run('keys', 'rotate', '--for-key-file', 'pruner.key', ...flags)).toMatchObject({ code: 1, stderr: expect.stringMatching(/would leave out 1 .*\(recipient, office\.recipient\)[^]*--for-recipient/) });
    await at.do('keys', 'rotate', '--for-recipient', 'office.recipient', '--for-key-file', 'pruner.key', ...flags);
    const [row] = (await at.json<SlotRow>('keys', 'list', ...flags)).filter(({ kind }) => kind === 'recipient');
    expect(readFileSync(at.path('office.recipient'), 'utf8')).toContain(`:${row?.fingerprint?.replaceAll(' ', '')}`);
  });

  it('refuses a public half that was altered, before anything is made', async () => {
    const at = await desk();
    const text = readFileSync(at.path('office.recipient'), 'utf8');
    writeFileSync(at.path('office.recipient'), text.replace(/(.)(?=\n$)/, (letter) => (letter === 'A' ? 'B' : 'A')));
    expect(await at.run('init', '--vault', 'vault', '--key-file', 'key', '--recipient', 'office.recipient')).toMatchObject({ code: 11, stderr: expect.stringContaining('is not the public half of a recipient') });
    for (const name of ['key', 'vault/holdfast.json', 'vault/keys']) expect(() => statSync(at.path(name))).toThrow();
  });

  it('refuses a private half that others can read, one of another vault, and two keys at once', async () => {
    const at = await desk();
    await at.do('init', '--vault', 'vault', '--key-file', 'key', '--recipient', 'office.recipient');
    chmodSync(at.path('office.paper'), 0o640);
    expect(await at.run('keys', 'list', '--recipient-key-file', 'office.paper')).toMatchObject({ code: 1, stderr: expect.stringContaining('open to other users') });
    renameSync(at.path('office.paper'), at.path('first.paper'));
    await at.do('keys', 'make-recipient', 'other.recipient', '--paper-file', 'other.paper');
    expect(await at.run('keys', 'list', '--recipient-key-file', 'other.paper')).toMatchObject({ code: 11, stderr: expect.stringMatching(/It was the recipient key .*other\.paper, named by --recipient-key-file\.\nLook for the paper with the fingerprint/) });
    expect(await at.run('keys', 'list', '--recipient-key-file', 'other.paper', '--key-file', 'key')).toMatchObject({ code: 2, stderr: expect.stringContaining('2 of --key-file, --passphrase-file and --recipient-key-file were given') });
  });
});
