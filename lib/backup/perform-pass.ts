import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { loadXattrReader } from '../engine/xattrs.ts';
import { display, fsPath } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { SingleSource, Source, TreeSource } from '../sources/source.ts';
import type { BackupRun, PassRun } from './backup-run.ts';
import { BodyPass } from './body-pass.ts';
import { exclusionOf } from './exclusion.ts';
import { ObjectPass } from './object-pass.ts';
import { performSetPass } from './set-pass.ts';
import type { ProvedSet } from './set-pass.ts';
import { performStreamPass } from './stream-pass.ts';
import type { ProvedStreams } from './stream-pass.ts';
import { TreePass } from './tree-pass.ts';
import type { WalkRoot } from './walk.ts';

/** What a pass over any source found out; only a set has parts. */
export type Proved = ProvedStreams & Partial<Pick<ProvedSet, 'parts'>>;

/** Reads a source into the tree of a run, in the way of its shape. */
export async function performPass(run: BackupRun, source: Source, { isFull }: { readonly isFull: boolean }): Promise<Proved> {
  if (source.shape !== 'set') return performSingle(run, source, isFull);
  return performSetPass(run, source, { perform: (part, single) => performSingle(part, single, isFull), isRooted });
}

async function performSingle(run: PassRun, source: SingleSource, isFull: boolean): Promise<ProvedStreams> {
  if (source.shape === 'streams') return performStreamPass(run, source);
  if (source.shape === 'bodies') return new BodyPass(run, source).perform();
  if (source.shape === 'objects') return new ObjectPass(run, source, { isFull }).perform();
  const readXattrs = source.options.isKeepingXattrs ? loadXattrReader() : undefined;
  const isExcluded = exclusionOf(source.options.include, source.options.exclude);
  await new TreePass(run, { roots: rootsOf(source), options: source.options, isExcluded, readXattrs, isFull }).perform();
  return { evidence: [], facts: {} };
}

function isRooted(source: SingleSource): boolean {
  return source.shape === 'tree' && rootsOf(source)[0]?.path === '';
}

/** One path lies at the root of the backup, several below their base names, in the order of the tree. */
function rootsOf({ paths }: TreeSource): WalkRoot[] {
  const [only] = paths;
  if (paths.length === 1 && only !== undefined && isFolder(only)) return [{ path: '' as ByteString, location: only }];
  const roots = paths.map((location) => ({ path: (basename(location) || 'root') as ByteString, location }));
  const taken = new Set<string>();
  for (const { path, location } of roots) {
    if (taken.has(path)) throw new HoldfastError('usage', `Two paths end in the name ${path}: ${location} is the second.`, { nextStep: 'Back them up by two plans, or name a directory above both.' });
    taken.add(path);
  }
  return roots.sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** It was there when the source was checked. */
function isFolder(path: ByteString): boolean {
  try {
    return statSync(fsPath(path)).isDirectory();
  } catch (cause) {
    throw new HoldfastError('source-failed', `The path ${display(path)} is gone since the run began (${(cause as NodeJS.ErrnoException).code}).`, { nextStep: 'Nothing of this run is kept. Look whether what is mounted there is still mounted, and start again.', cause });
  }
}
