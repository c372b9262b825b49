import { chmodSync, linkSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { fromText } from '../../../lib/model/byte-string.ts';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { diffBackups, diffFolder } from '../../../lib/recovery/diff/diff-backup.ts';
import type { DiffOptions, EntryDifference } from '../../../lib/recovery/diff/diff-backup.ts';
import { FLAG, names } from '../../../lib/repository/index.ts';
import type { SnapshotReader, TreeDamage, Xattr } from '../../../lib/repository/index.ts';
import { SnapshotReader as Reader } from '../../../lib/repository/index.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../../support/fixture-snapshot.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const fixture = (sizes = {}) => new FixtureSnapshot(new MemoryStore(systemClock), sizes).directory('');
const words = (differences: readonly EntryDifference[]) => differences.map(({ path, change, aspects }) => `${change} ${path}${aspects.length === 0 ? '' : ` ${aspects.join()}`}`);
const options = (damage: TreeDamage[] = []): DiffOptions => ({ signal: new AbortController().signal, onDamage: (one) => damage.push(one), onProgress: () => undefined });
const xattrs = (value: string): { flags: number; xattrs: Xattr[] } => ({ flags: FLAG.xattrs, xattrs: [{ name: 'user.n' as ByteString, value: Buffer.from(value) }] });

async function between(before: FixtureSnapshot, after: FixtureSnapshot): Promise<string[]> {
  return words(await Array.fromAsync(diffBackups(await before.build(), await after.build(), options())));
}

describe('what differs between two backups (R7)', () => {
  it.each<[string, (one: FixtureSnapshot) => unknown, (one: FixtureSnapshot) => unknown, string[]]>([
    ['nothing', (one) => one.file('f', 'x'), (one) => one.file('f', 'x'), []],
    ['a content of the same size', (one) => one.file('f', 'x'), (one) => one.file('f', 'y'), ['changed f content']],
    ['a size', (one) => one.file('f', 'x'), (one) => one.file('f', 'xx'), ['changed f content']],
    ['a mode', (one) => one.file('f', 'x'), (one) => one.file('f', 'x', { mode: 0o600 }), ['changed f mode']],
    ['an owner', (one) => one.file('f', 'x'), (one) => one.file('f', 'x', { uid: 4711 }), ['changed f owner']],
    ['a time', (one) => one.directory('d'), (one) => one.directory('d', { mtimeSeconds: 5 }), ['changed d time']],
    ['a type', (one) => one.file('f', 'x'), (one) => one.symlink('f', 'x'), ['changed f type']],
    ['where a link leads', (one) => one.symlink('l', 'a'), (one) => one.symlink('l', 'b'), ['changed l target']],
    ['a device', (one) => one.special('s', 'blockDevice', { major: 1, minor: 2 }), (one) => one.special('s', 'blockDevice', { major: 1, minor: 3 }), ['changed s device']],
    ['an attribute', (one) => one.file('f', 'x', xattrs('a')), (one) => one.file('f', 'x', xattrs('b')), ['changed f xattrs']],
    ['what is new and what is gone, in order', (one) => one.file('a-', '1').then(() => one.file('b', '2')), (one) => one.file('b', '2').then(() => one.directory('a')).then(() => one.file('a/x', '3')), ['added a', 'added a/x', 'removed a-']],
    ['nothing, when only what a run remembers of a file differs', (one) => one.file('f', 'x', { inode: 1n, ctimeSeconds: 1 }), (one) => one.file('f', 'x', { inode: 2n, ctimeSeconds: 2, flags: FLAG.racy }), []],
  ])('tells %s', async (_what, make, change, wanted) => {
    const [before, after] = [fixture(), fixture()];
    await make(before);
    await change(after);
    expect(await between(before, after)).toEqual(wanted);
  });

  it('says nothing about a part of a list that cannot be read, and names it', async () => {
    const many = async (content: string) => {
      const snapshot = fixture({ treeChunkBytes: 400 });
      for (let n = 10; n < 40; n++) await snapshot.file(`f${n}`, content);
      return snapshot;
    };
    const [before, after] = [await many('x'), await many('x')];
    const [left, right] = [await before.build(), await after.build()];
    const chunk = right.manifest.tree.base.chunks[2];
    const damage: TreeDamage[] = [];
    const torn = withoutTreeChunk(right, chunk?.id ?? '');
    for (const [one, other] of [[left, torn], [torn, left]] as const) expect(words(await Array.fromAsync(diffBackups(one, other, options(damage))))).toEqual([]);
    expect(damage.map(({ from }) => Buffer.from(from, 'latin1').toString('base64'))).toEqual([chunk?.first, chunk?.first]);
  });
});

/** The same backup, whose manifest names a tree chunk that its pack does not hold. */
function withoutTreeChunk(reader: SnapshotReader, id: string): SnapshotReader {
  const { base } = reader.manifest.tree;
  const chunks = base.chunks.map((chunk) => (chunk.id === id ? { ...chunk, id: 'ee'.repeat(32) } : chunk));
  return new Reader(reader.repository, { ...reader.manifest, tree: { ...reader.manifest.tree, base: { ...base, chunks } } }, reader.refs);
}

describe('what differs between a backup and a directory (R7)', () => {
  async function backedUp(): Promise<{ root: string; reader: SnapshotReader }> {
    const root = temporaryFolder();
    mkdirSync(join(root, 'd', 'e'), { recursive: true });
    writeFileSync(join(root, 'd', 'f'), 'content');
    writeFileSync(join(root, 'd-'), 'sorts after d/');
    linkSync(join(root, 'd', 'f'), join(root, 'g'));
    symlinkSync('nowhere', join(root, 'l'));
    const repository = testRepository();
    const { manifest } = await backUp(repository, root);
    return { root, reader: await Reader.open(repository, names.snapshot(manifest.plan, manifest.backup)) };
  }
  const compare = async (reader: SnapshotReader, root: string, readsContent = false, onUnreadable: (path: ByteString) => void = () => undefined) =>
    words(await Array.fromAsync(diffFolder(reader, fromText(root), { ...options(), readsContent, onUnreadable, onLeftOut: () => undefined })));

  it('is nothing for the source as it was', async () => {
    const { root, reader } = await backedUp();
    expect([await compare(reader, root), await compare(reader, root, true)]).toEqual([[], []]);
  });

  it('is what was made, deleted, written and set since', async () => {
    const { root, reader } = await backedUp();
    writeFileSync(join(root, 'd', 'new'), '');
    rmSync(join(root, 'l'));
    chmodSync(join(root, 'd-'), 0o600);
    writeFileSync(join(root, 'g'), 'other and longer');
    expect(await compare(reader, root)).toEqual(['changed  time', 'changed d time', 'changed d/f content,time', 'added d/new', 'changed d- mode', 'changed g content,time', 'removed l']);
  });

  it('is found by reading where size and time say nothing, when that is asked for', async () => {
    const { root, reader } = await backedUp();
    writeFileSync(join(root, 'd-'), 'SORTS AFTER D/');
    let known: EntryDifference | undefined;
    for await (const difference of diffFolder(reader, fromText(root), { ...options(), readsContent: false, onUnreadable: () => undefined, onLeftOut: () => undefined })) known = difference;
    expect(known?.aspects).toEqual(['time']);
    const { mtimeNanoseconds } = known?.before ?? { mtimeNanoseconds: 0n };
    utimesSync(join(root, 'd-'), Number(mtimeNanoseconds) / 1e9, Number(mtimeNanoseconds) / 1e9);
    expect(await compare(reader, root)).toEqual([]);
    expect(await compare(reader, root, true)).toEqual(['changed d- content']);
  });

  it('is not what the backup was told to leave out: that is counted, by its topmost path', async () => {
    const root = temporaryFolder();
    const write = (path: string) => {
      mkdirSync(join(root, path, '..'), { recursive: true });
      writeFileSync(join(root, path), path);
    };
    for (const path of ['d/kept.txt', 'd/spoilt.tmp', 'modules/a/b', 'only.bin']) write(path);
    const repository = testRepository();
    const { manifest } = await backUp(repository, root, { exclude: ['*.tmp', '/modules'], include: ['*.txt'] });
    const reader = await Reader.open(repository, names.snapshot(manifest.plan, manifest.backup));
    write('d/new.txt');
    write('d/new.tmp');
    const leftOut: string[] = [];
    const found = await Array.fromAsync(diffFolder(reader, fromText(root), { ...options(), readsContent: false, onUnreadable: () => undefined, onLeftOut: (path) => leftOut.push(path) }));
    expect(words(found)).toEqual(['changed d time', 'added d/new.txt']);
    expect(leftOut).toEqual(['d/new.tmp', 'd/spoilt.tmp', 'modules', 'only.bin']);
    // Of a backup that does not record them nothing is left out.
    const { selection: _, ...source } = reader.manifest.source;
    expect(words(await Array.fromAsync(diffFolder(new Reader(repository, { ...reader.manifest, source }, reader.refs), fromText(root), { ...options(), readsContent: false, onUnreadable: () => undefined, onLeftOut: (path) => leftOut.push(path) })))).toContain('added modules/a/b');
    expect(leftOut).toHaveLength(4);
    // Of several paths each stands there under its own name, and no pattern leaves out what was asked for.
    const several = { ...reader.manifest.source, paths: [...source.paths, ...source.paths] };
    expect(words(await Array.fromAsync(diffFolder(new Reader(repository, { ...reader.manifest, source: several }, reader.refs), fromText(root), { ...options(), readsContent: false, onUnreadable: () => undefined, onLeftOut: () => undefined })))).toContain('added modules');
  });

  it('says nothing about what cannot be looked at, nor about what lies below it', async () => {
    const { root, reader } = await backedUp();
    const unreadable: string[] = [];
    // Nobody can list a directory whose path is longer than the system takes.
    const far = join(root, ...Array<string>(20).fill('x'.repeat(250)));
    expect(await compare(reader, far, false, (path) => unreadable.push(path))).toEqual([]);
    expect(unreadable).toEqual(['']);
  });
});
