import { access, constants } from 'node:fs/promises';
import { display, fsPath } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { TreeOptions, TreeSource } from './source.ts';

export const DEFAULT_TREE_OPTIONS: TreeOptions = { isOneFileSystem: false, isFollowingSymlinks: false, changeDetection: 'auto', isKeepingXattrs: true };

/** Directory trees and single files (S6). Only roots are checked here: what lies below them is noticed by the walk. */
export function filesSource(paths: readonly ByteString[], options: TreeOptions = DEFAULT_TREE_OPTIONS, minimumBytes?: number): TreeSource {
  return {
    shape: 'tree',
    type: 'files',
    description: paths.map(display).join(', '),
    paths,
    options,
    minimumBytes,
    check: async () => {
      for (const path of paths) await checkRoot(path);
    },
  };
}

async function checkRoot(path: ByteString): Promise<void> {
  await access(fsPath(path), constants.R_OK).catch((cause: NodeJS.ErrnoException) => {
    const [complaint, nextStep] = cause.code === 'EACCES' ? ['may not be read by this user', 'Run as a user that may read it.'] : [`is not there (${cause.code})`, 'Check the path, and whether what should be mounted there is mounted.'];
    throw new HoldfastError('source-failed', `The path ${display(path)} ${complaint}.`, { nextStep, cause });
  });
}
