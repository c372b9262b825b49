import type { ByteString } from '../model/byte-string.ts';
import type { EntryBody, Xattr } from '../repository/index.ts';
import type { ReportBuilder } from './restore-report.ts';
import type { Folder } from './target-folders.ts';
import { secondsOf } from './times.ts';
import type { XattrWriter } from './xattrs.ts';

export interface Metadata {
  readonly mode: number;
  /** -1: new files belong to the right owner anyway, or owners are not restored. */
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

/** What of an entry's owner, mode, times and attributes can be restored by whoever restores. */
export class MetadataRules {
  /** Owners are set: by default when root restores. */
  readonly setsOwner: boolean;
  readonly #report: ReportBuilder;
  readonly #writeXattrs: XattrWriter | undefined;
  readonly #euid = process.geteuid?.() ?? -1;
  readonly #egid = process.getegid?.() ?? -1;

  constructor(report: ReportBuilder, restoreOwner: boolean | undefined, writeXattrs: XattrWriter | undefined) {
    this.setsOwner = restoreOwner ?? this.#euid === 0;
    this.#report = report;
    this.#writeXattrs = writeXattrs;
  }

  /** Setuid and setgid only where the owner is or will be right: they would lend the rights of whoever restores. */
  of(body: EntryBody, folder: Folder | undefined): Metadata {
    const mtime = secondsOf(body);
    const isMine = body.uid === this.#euid && body.gid === this.#egid && folder?.isSetgid === false;
    if (isMine || !this.setsOwner) return { mode: isMine ? body.mode : body.mode & 0o1777, uid: -1, gid: -1, mtime };
    return { mode: body.mode, uid: body.uid, gid: body.gid, mtime };
  }

  setXattrs(fd: number, path: ByteString, xattrs: readonly Xattr[]): void {
    if (!this.#writeXattrs) return this.#report.warn('Extended attributes (ACLs among them) were not restored: the optional package fs-xattr is not installed', path);
    const refused = this.#writeXattrs(fd, xattrs);
    if (refused.length > 0) this.#report.warn(`The file system refused the extended attributes ${refused.join(', ')}`, path);
  }

  warnOwner(path: ByteString): void {
    this.#report.warn('The owner could not be set, so setuid and setgid were left out', path);
  }
}
