import { linkSync, renameSync } from 'node:fs';
import type { ByteString } from '../model/byte-string.ts';
import type { FileTask } from './file-task.ts';
import type { Folder, TargetFolders } from './target-folders.ts';
import { entryPath } from './target-folders.ts';
import { temporaryName } from './unfinished.ts';

/** Another name of a file that is restored under its first name. */
export interface LinkTask {
  readonly path: ByteString;
  readonly folder: Folder;
  readonly name: ByteString;
  readonly isReplacing: boolean;
}

interface Group {
  readonly leader: FileTask;
  isSettled: boolean;
  readonly waiting: LinkTask[];
}

/** Hard links: the first restored name of a group is written, the others are linked to it when it is whole. */
export class LinkGroups {
  readonly #groups = new Map<string, Group>();

  lead(id: string, leader: FileTask): void {
    this.#groups.set(id, { leader, isSettled: false, waiting: [] });
  }

  /** Undefined when nobody leads that group yet; else the leader, and whether it is settled (else the link waits). */
  follow(id: string, link: LinkTask): { leader: FileTask; isSettled: boolean } | undefined {
    const group = this.#groups.get(id);
    if (group && !group.isSettled) group.waiting.push(link);
    return group;
  }

  /** Links that waited for this leader. */
  settle(id: string): LinkTask[] {
    const group = this.#groups.get(id);
    if (!group) return [];
    group.isSettled = true;
    return group.waiting.splice(0);
  }
}

export function makeLink(link: LinkTask, leader: FileTask, folders: TargetFolders): void {
  const from = entryPath(folders.acquire(leader.folder), leader.name);
  const at = folders.acquire(link.folder);
  try {
    const to = entryPath(at, link.name);
    if (!link.isReplacing) return linkSync(from, to);
    const temporary = entryPath(at, temporaryName());
    linkSync(from, temporary);
    renameSync(temporary, to);
  } finally {
    folders.release(link.folder);
    folders.release(leader.folder);
  }
}
