import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteString, display } from '../../lib/model/byte-string.ts';
import { names } from '../../lib/repository/index.ts';
import type { Tolerated } from '../../scripts/vectors/kinds-cases.ts';
import type { ExpectedKey } from '../../scripts/vectors/kinds-keys.ts';
import type { MustFail } from '../../scripts/vectors/must-fail.ts';
import { describeTree } from '../../scripts/vectors/source-tree.ts';
import type { ExpectedEntry } from '../../scripts/vectors/source-tree.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { FrozenVault, comparable, linkGroups } from '../vectors/frozen-vault.ts';
import { runKit } from './kit-in-process.ts';

const KINDS = new FrozenVault('v1-kinds');
/** What the kit may answer to a vault that a strict reader stops at with this code: contents that are lost are damage too. */
const ANSWERS: Readonly<Record<MustFail['code'], readonly number[]>> = { damaged: [12], 'not-found': [12], 'wrong-key': [11, 12], 'unsupported-version': [1, 12], 'vault-not-found': [10, 12] };

describe.each(['v1', 'v1-kinds'])('the recovery kit and the frozen vault %s (K10)', (set) => {
  const vectors = new FrozenVault(set);
  const folder = temporaryFolder();
  const key = ['--key-file', vectors.copyKey('holdfast.key', folder)];

  it.each(vectors.expected.backups)('restores backup $backup byte for byte', async ({ backup, entries }) => {
    const target = join(folder, backup);
    const { code, stderr } = await runKit(await vectors.store(), ['restore', backup, '--to', target, '--no-owner', ...key]);
    const hasAttributes = entries.some(({ xattrs }) => xattrs);
    expect([code, stderr.includes('Extended attributes')]).toEqual([hasAttributes ? 3 : 0, hasAttributes]);
    expectTree(target, entries);
  });

  it('lists every backup, newest first, and finds `latest` and `latest:PLAN`', async () => {
    const { stdout } = await runKit(await vectors.store(), ['list', '--json', ...key]);
    const listed = stdout.trim().split('\n').map((line) => JSON.parse(line) as { backup: string; planName: string; state: string });
    expect(listed.map(({ backup }) => backup)).toEqual(vectors.expected.backups.map(({ backup }) => backup).sort().reverse());
    const good = listed.filter(({ state }) => state === 'good');
    for (const [wanted, found] of [['latest', good[0]], [`latest:${listed.at(-1)?.planName}`, good.find(({ planName }) => planName === listed.at(-1)?.planName)]] as const) {
      const dryRun = await runKit(await vectors.store(), ['restore', wanted, '--to', join(folder, 'nothing'), '--dry-run', '--json', ...key]);
      expect(JSON.parse(dryRun.stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ type: 'restore-plan', backup: found?.backup });
    }
  });

  it('is proved whole by `verify`', async () => {
    expect(await runKit(await vectors.store(), ['verify', ...key])).toMatchObject({ code: 0, stdout: expect.stringContaining(`${vectors.expected.backups.length} of ${vectors.expected.backups.length} backups good at level full`) as string });
  });

  it.each(vectors.mustFail)('with $title is not called whole', async ({ patches, code }) => {
    const ran = await runKit(await vectors.store(patches), ['verify', ...key]);
    expect(ANSWERS[code]).toContain(ran.code);
    expect(ran.stdout + ran.stderr).toMatch(/damaged|not|newer|opens none/);
    // Nobody is sent to a program that is not there.
    expect(ran.stderr).not.toContain('`holdfast ');
  });

  it.each(vectors.mustFail.filter(({ title }) => / path|NUL|256 bytes/.test(title)))('with $title restores nothing', async ({ title, patches }) => {
    const around = join(folder, title.replaceAll('/', ' '));
    mkdirSync(around);
    const id = patches.find(({ object }) => object.startsWith('snapshots/'))?.object.split('/')[2] ?? '';
    expect((await runKit(await vectors.store(patches), ['restore', id, '--to', join(around, 'target'), ...key])).code).toBe(12);
    expect(readdirSync(around, { recursive: true })).toEqual(['target']);
  });
});

describe('the recovery kit and the frozen vault v1-kinds (K10)', () => {
  const folder = temporaryFolder();
  const keys = KINDS.expected.keys ?? [];
  const [all] = keys as [ExpectedKey];
  const moved = KINDS.expected.backups[3]!;

  /** What somebody who holds this key types. */
  function given({ kind, file = '', passphrase = '', keyEncryptionKey = '' }: ExpectedKey): string[] {
    if (kind === 'key-file') return ['--key-file', KINDS.copyKey(file, folder)];
    const path = join(folder, `${kind}-${Math.random()}`);
    writeFileSync(path, kind === 'passphrase' ? `${passphrase}\nnot this line\n` : `${Buffer.from(keyEncryptionKey, 'hex').toString('base64')}\n`, { mode: 0o600 });
    return [kind === 'passphrase' ? '--passphrase-file' : '--kms-key-file', path];
  }

  it.each(keys)('opens as far as it should ($opens) with $about', async (key) => {
    const store = await KINDS.store();
    const listed = await runKit(store, ['list', ...given(key)]);
    expect(listed.code).toBe(key.opens === 'none' ? 11 : 3);
    const restored = await runKit(store, ['restore', moved.backup, '--to', join(folder, key.about), ...given(key)]);
    expect(restored.code).toBe(key.opens === 'all' ? 0 : 11);
    if (key.opens === 'all') expectTree(join(folder, key.about), moved.entries);
  });

  it('asks for the passphrase when no key is given', async () => {
    const passphrase = keys.find(({ kind }) => kind === 'passphrase')?.passphrase;
    expect((await runKit(await KINDS.store(), ['list', '--plan', 'archive'], passphrase)).code).toBe(0);
  });

  it.each(KINDS.json('tolerated.json') as Tolerated[])('restores all the same with $title', async ({ title, patches }) => {
    const target = join(folder, title.replaceAll('/', ' '));
    expect((await runKit(await KINDS.store(patches), ['restore', moved.backup, '--to', target, ...given(all)])).code).toBe(0);
    expectTree(target, moved.entries);
  });

  it('names what a damaged pack takes, restores the rest, and ends with 12', async () => {
    const [base] = KINDS.expected.backups;
    const packs = [...KINDS.objects([]).keys()].filter((name) => name.startsWith('packs/hot/'));
    let lost = 0;
    for (const [index, object] of packs.entries()) {
      const target = join(folder, `without ${index}`);
      const { code, stdout } = await runKit(await KINDS.store([{ object, remove: true }]), ['restore', base!.backup, '--to', target, '--json', '--no-owner', ...given(all)]);
      const { refused, outcome } = JSON.parse(stdout) as { refused: { path: string; kind: string }[]; outcome: string };
      expect([code, outcome]).toEqual(refused.length > 0 ? [12, 'damaged'] : [3, 'done']);
      const there = new Set(describeTree(target).map(({ path }) => path));
      const gone = base!.entries.filter(({ path }) => !there.has(path)).map(({ path }) => display(byteString(Buffer.from(path, 'base64'))));
      expect(refused.map(({ path }) => path).sort()).toEqual(gone.sort());
      lost += gone.length;
    }
    expect(lost).toBeGreaterThan(0);
  });

  it('shows which keys there are without one, and the lines that ask KMS, in the words of format §3', async () => {
    const { code, stdout } = await runKit(await KINDS.store(), ['keys', '--json']);
    const { slots, kmsCommands } = JSON.parse(stdout) as { slots: object[]; kmsCommands: string[] };
    expect([code, slots.length, kmsCommands.length]).toEqual([0, 12, 1]);
    expect(kmsCommands[0]).toContain(`--encryption-context '{"holdfast:repository":"${KINDS.expected.repository}","holdfast:scope":"all"}'`);
  });

  it('never writes: no key is made, no verdict, no mark', async () => {
    const store = await KINDS.store();
    const before = (await Array.fromAsync(store.list(''))).map(({ name }) => name);
    for (const args of [['list'], ['verify'], ['restore', 'latest', '--to', join(folder, 'latest')], ['ls', 'latest'], ['keys']]) await runKit(store, [...args, ...given(all)]);
    expect((await Array.fromAsync(store.list(''))).map(({ name }) => name)).toEqual(before);
    expect(before).toContain(names.snapshot(moved.plan, moved.backup));
  });
});

/** The folder is what was backed up; of several roots each is there, of streams each file. */
function expectTree(target: string, entries: readonly ExpectedEntry[]): void {
  const wanted = entries.map(({ sparse: _, xattrs: __, ...entry }) => entry);
  const timeless = new Set(wanted.filter(({ type }) => type === 'stream').map(({ path }) => path));
  const restored = describeTree(target).filter(({ path }) => path !== '' || wanted.some((entry) => entry.path === ''));
  // Node sets times as doubles: the last digits of nanoseconds are not kept.
  const plain = (list: readonly ExpectedEntry[]) => comparable(list.map(({ mtime = '', ...entry }) => (timeless.has(entry.path) ? { ...entry, type: 'file' as const } : { ...entry, mtime: mtime.slice(0, -6) })));
  expect(plain(restored)).toEqual(plain(wanted));
  expect(linkGroups(restored)).toEqual(linkGroups(wanted));
}
