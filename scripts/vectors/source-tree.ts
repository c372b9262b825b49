import { createHash } from 'node:crypto';
import { chmodSync, closeSync, ftruncateSync, linkSync, lstatSync, lutimesSync, mkdirSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

/** What a restore must give back. Paths, names and targets are base64: they are bytes. */
export interface ExpectedEntry {
  readonly path: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'fifo' | 'stream';
  readonly mode: number;
  readonly mtime?: string;
  readonly size?: number;
  readonly sha256?: string;
  readonly target?: string;
  /** Names of one file have the same number. */
  readonly link?: number;
  /** The record says that runs of zeroes are to be holes again. */
  readonly sparse?: true;
  /** Names and values in base64. */
  readonly xattrs?: readonly { readonly name: string; readonly value: string }[];
}

/** Every type that needs no privilege, and the names that break programs. */
export function makeTree(root: string): void {
  mkdirSync(`${root}/folder/deeper`, { recursive: true });
  mkdirSync(`${root}/empty folder`);
  writeFileSync(`${root}/empty`, '');
  writeFileSync(`${root}/small`, 'small\n');
  writeFileSync(`${root}/folder/words`, words(60_000, 1));
  writeFileSync(`${root}/folder/noise`, noise(3000));
  writeFileSync(`${root}/folder/deeper/${'n'.repeat(255)}`, 'the longest name\n');
  writeFileSync(`${root}/new\nline`, 'a name with a line end\n');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/not-utf8-`), Buffer.of(0xff, 0xfe)]), 'a name that is not UTF-8\n');
  writeFileSync(`${root}/secret`, 'mode 0400\n', { mode: 0o400 });
  linkSync(`${root}/small`, `${root}/folder/hard link`);
  symlinkSync('folder/words', `${root}/link`);
  symlinkSync('/nowhere/at/all', `${root}/dangling`);
  execFileSync('mkfifo', ['-m', '640', `${root}/pipe`]);
  chmodSync(`${root}/folder`, 0o750);
  settle(root);
}

/** Adds, changes, removes; most stays, so that the second backup is a delta. */
export function changeTree(root: string): void {
  writeFileSync(`${root}/folder/words`, Buffer.concat([words(30_000, 1), Buffer.from('changed in the middle\n'), words(60_000, 1).subarray(30_000)]));
  writeFileSync(`${root}/added`, 'added\n');
  rmSync(`${root}/secret`);
  for (const path of ['folder/words', 'added', 'folder', '']) utimesSync(`${root}/${path}`, 1_700_000_100, 1_700_000_100.125);
}

/** Read from the source with nothing of Holdfast. */
export function describeTree(root: string): ExpectedEntry[] {
  const links = new Map<bigint, number>();
  return pathsBelow(root).map((path) => {
    const full = below(root, path);
    const stat = lstatSync(full, { bigint: true });
    const common = { path: path.toString('base64'), mode: Number(stat.mode & 0o7777n), mtime: timeInWords(stat.mtimeNs) };
    if (stat.isDirectory()) return { ...common, type: 'directory' };
    if (stat.isSymbolicLink()) return { ...common, type: 'symlink', target: readlinkSync(full, 'buffer').toString('base64') };
    if (stat.isFIFO()) return { ...common, type: 'fifo' };
    const content = readFileSync(full);
    if (stat.nlink > 1n && !links.has(stat.ino)) links.set(stat.ino, links.size + 1);
    const link = links.get(stat.ino);
    return { ...common, type: 'file', size: content.length, sha256: createHash('sha256').update(content).digest('hex'), ...(link !== undefined && { link }) };
  });
}

/** What makes readers stumble: order of paths, times before 1970, odd modes, holes, attributes, many chunks. */
export function addRareEntries(root: string, setXattr: (path: string, name: string, value: Buffer) => void): void {
  // By bytes alone `a-b` would stand before `a/b`: paths are compared component by component.
  mkdirSync(`${root}/a`);
  for (const path of ['a/b', 'a-b', 'a b', 'a.b', 'o\u0308 as two characters', '\u00f6 as one character']) writeFileSync(`${root}/${path}`, `${path}\n`);
  writeFileSync(`${root}/holes`, '');
  const holes = openSync(`${root}/holes`, 'r+');
  ftruncateSync(holes, HOLES_BYTES);
  writeSync(holes, 'data between holes\n', 1 << 20);
  writeSync(holes, 'the end\n', HOLES_BYTES - 8);
  closeSync(holes);
  writeFileSync(`${root}/three names`, words(40_000, 7));
  linkSync(`${root}/three names`, `${root}/a/second name`);
  linkSync(`${root}/three names`, `${root}/zz third name`);
  writeFileSync(`${root}/setuid`, 'mode 4755\n');
  chmodSync(`${root}/setuid`, 0o4755);
  mkdirSync(`${root}/sticky`);
  chmodSync(`${root}/sticky`, 0o1777);
  writeFileSync(`${root}/marked`, 'has attributes\n');
  for (const path of ['marked', 'a']) for (const { name, value } of RARE_XATTRS) setXattr(`${root}/${path}`, Buffer.from(name, 'base64').toString(), Buffer.from(value, 'base64'));
  writeFileSync(`${root}/older than 1970`, 'mtime -1.5\n');
  settle(root);
  // Node takes a negative number for "now".
  execFileSync('touch', ['-d', '@-1.5', `${root}/older than 1970`]);
}

/** More than 512 chunks, so that their list lies in chunks itself. */
const HOLES_BYTES = 9 << 20;
const RARE_XATTRS = [
  { name: base64('user.holdfast.empty'), value: '' },
  { name: base64('user.holdfast.text'), value: base64('kept with the entry\0') },
];

/** What `describeTree` does not ask, because not every file system gives it back. */
export const RARE_FACTS: Readonly<Record<string, Pick<ExpectedEntry, 'sparse' | 'xattrs'>>> = { holes: { sparse: true }, marked: { xattrs: RARE_XATTRS }, a: { xattrs: RARE_XATTRS } };

/** Half a second before 1970 is half a second after second -1. */
function timeInWords(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  return `${(nanoseconds - fraction) / 1_000_000_000n}.${String(fraction).padStart(9, '0')}`;
}

/** What was touched since, and no other: an unchanged file keeps its time. */
export function settleAt(paths: readonly string[], seconds: number): void {
  for (const path of paths) utimesSync(path, seconds, seconds + 0.125);
}

/** Times that are the same whenever the script runs; children first, because a change in a folder moves its time. */
function settle(root: string): void {
  for (const path of pathsBelow(root).reverse()) lutimesSync(below(root, path), 1_700_000_000, 1_700_000_000.5);
}

/** Parents before their children, the root itself (empty) first. */
function pathsBelow(root: string, path: Buffer = Buffer.alloc(0)): Buffer[] {
  if (!lstatSync(below(root, path)).isDirectory()) return [path];
  const names = readdirSync(below(root, path), { encoding: 'buffer' });
  return [path, ...names.flatMap((name) => pathsBelow(root, path.length === 0 ? name : Buffer.concat([path, Buffer.from('/'), name])))];
}

function below(root: string, path: Buffer): Buffer {
  return path.length === 0 ? Buffer.from(root) : Buffer.concat([Buffer.from(`${root}/`), path]);
}

export function words(length: number, seed: number): Buffer {
  const list = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta', 'theta'];
  let text = '';
  for (let state = seed; text.length < length; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    text += `${list[(state >>> 16) % list.length]}${state % 97 === 0 ? '\n' : ' '}`;
  }
  return Buffer.from(text.slice(0, length));
}

/** Does not compress: kept raw. */
function noise(length: number): Buffer {
  const parts: Buffer[] = [];
  for (let index = 0; index * 32 < length; index++) parts.push(createHash('sha256').update(`noise ${index}`).digest());
  return Buffer.concat(parts).subarray(0, length);
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
