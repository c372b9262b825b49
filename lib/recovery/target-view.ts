import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { byteString } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import type { Existing } from './decision.ts';
import { errnoOf } from './errno.ts';
import { targetError } from './restore-errors.ts';
import { entryPath } from './target-folders.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;

/** A directory of the target as the plan sees it: open, not there, or barred by something else that has its name. */
export interface ViewedFolder {
  readonly fd: number | undefined;
}

export const NOT_THERE: ViewedFolder = { fd: undefined };

/** Read-only look at the target, below descriptors and without following links. */
export class TargetView {
  readonly root: ViewedFolder;
  readonly state: 'absent' | 'empty' | 'filled';

  private constructor(root: ViewedFolder, state: TargetView['state']) {
    this.root = root;
    this.state = state;
  }

  static open(target: string): TargetView {
    let fd: number;
    try {
      fd = openSync(target, O_RDONLY | O_DIRECTORY);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw targetError(target, error);
      return new TargetView(NOT_THERE, 'absent');
    }
    return new TargetView({ fd }, readdirSync(`/proc/self/fd/${fd}`).length === 0 ? 'empty' : 'filled');
  }

  find(folder: ViewedFolder, name: ByteString): Existing | undefined {
    if (folder.fd === undefined) return undefined;
    const path = entryPath(folder.fd, name);
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (!stat) return undefined;
    return stat.isSymbolicLink() ? { stat, linkTarget: byteString(readlinkSync(path, 'buffer')) } : { stat };
  }

  /** `name` was seen to be a directory; when it was swapped meanwhile, this throws. */
  enter(folder: ViewedFolder, name: ByteString): ViewedFolder {
    return folder.fd === undefined ? NOT_THERE : { fd: openSync(entryPath(folder.fd, name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW) };
  }

  names(folder: ViewedFolder): ByteString[] {
    return folder.fd === undefined ? [] : readdirSync(`/proc/self/fd/${folder.fd}`, { encoding: 'buffer' }).map(byteString);
  }

  leave(folder: ViewedFolder): void {
    if (folder.fd !== undefined) closeSync(folder.fd);
  }

  close(): void {
    this.leave(this.root);
  }
}
