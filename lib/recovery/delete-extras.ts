import { fstatSync, futimesSync, lstatSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { byteString } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { errnoOf, errnoWords } from './errno.ts';
import { nameOf } from './plan-entries.ts';
import type { RestorePlan } from './restore-plan.ts';
import type { ReportBuilder } from './restore-report.ts';
import { entryPath } from './target-folders.ts';
import type { Folder, TargetFolders } from './target-folders.ts';
import { fsTime } from './times.ts';

/** Deletes exactly what the plan lists, after everything was restored; links are removed, never followed. */
export function deleteExtras(plan: RestorePlan, folders: TargetFolders, report: ReportBuilder): void {
  for (const { action, path } of plan.exceptions.values()) {
    if (action !== 'delete-extra') continue;
    try {
      inFolderOf(path, folders, (folder) => keepingTimes(folder, () => remove(folder, nameOf(path), folders)));
      report.deleted.push(path);
    } catch (error) {
      report.refuse(path, { kind: 'failed', reason: `it is extra and could not be deleted: ${errnoWords(errnoOf(error), error)}` });
    }
  }
}

function inFolderOf(path: ByteString, folders: TargetFolders, work: (folder: Folder) => void): void {
  const opened: Folder[] = [];
  try {
    let folder = folders.root;
    for (const name of path.split('/').slice(0, -1)) opened.push((folder = folders.open(folder, name as ByteString)));
    work(folder);
  } finally {
    for (const folder of opened.reverse()) folders.close(folder);
  }
}

/** The directory has its restored time already. */
function keepingTimes(folder: Folder, work: () => void): void {
  const { atimeMs, mtimeMs } = fstatSync(folder.fd);
  work();
  futimesSync(folder.fd, fsTime(atimeMs / 1000), fsTime(mtimeMs / 1000));
}

function remove(parent: Folder, name: ByteString, folders: TargetFolders): void {
  const at = folders.acquire(parent);
  try {
    const path = entryPath(at, name);
    if (!lstatSync(path).isDirectory()) return unlinkSync(path);
    const folder = folders.open(parent, name);
    const fd = folders.acquire(folder);
    for (const child of readdirSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' })) remove(folder, byteString(child), folders);
    folders.release(folder);
    folders.close(folder);
    rmdirSync(path);
  } finally {
    folders.release(parent);
  }
}
