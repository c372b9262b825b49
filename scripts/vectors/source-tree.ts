import { createHash } from 'node:crypto';
import { chmodSync, linkSync, lstatSync, lutimesSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
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
    const common = { path: path.toString('base64'), mode: Number(stat.mode & 0o7777n), mtime: `${stat.mtimeNs / 1_000_000_000n}.${String(stat.mtimeNs % 1_000_000_000n).padStart(9, '0')}` };
    if (stat.isDirectory()) return { ...common, type: 'directory' };
    if (stat.isSymbolicLink()) return { ...common, type: 'symlink', target: readlinkSync(full, 'buffer').toString('base64') };
    if (stat.isFIFO()) return { ...common, type: 'fifo' };
    const content = readFileSync(full);
    if (stat.nlink > 1n && !links.has(stat.ino)) links.set(stat.ino, links.size + 1);
    const link = links.get(stat.ino);
    return { ...common, type: 'file', size: content.length, sha256: createHash('sha256').update(content).digest('hex'), ...(link !== undefined && { link }) };
  });
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

function words(length: number, seed: number): Buffer {
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
