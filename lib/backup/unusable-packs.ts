import { ENTRY, FLAG, decodeBody, isFile } from '../repository/index.ts';
import type { BackupSession, SnapshotReader } from '../repository/index.ts';
import type { MergedRecord } from './tree-builder.ts';

/** Packs of the predecessor that may not be relied on any more: entries that touch one are read again (design, Unchanged). */
export class UnusablePacks {
  /** Undefined while all may be relied on: the usual case, and then refs need no look. */
  readonly #packs: ReadonlySet<string> | undefined;

  constructor(previous: SnapshotReader | undefined, session: Pick<BackupSession, 'isUsable'>) {
    const { base, delta } = previous?.manifest.tree ?? { base: undefined, delta: undefined };
    const unusable = [...(base?.packs ?? []), ...(delta?.packs ?? [])].filter((pack) => !session.isUsable(pack));
    this.#packs = unusable.length > 0 ? new Set(unusable) : undefined;
  }

  touch(record: MergedRecord): boolean {
    if (!this.#packs || record.body[0] !== ENTRY.file) return false;
    const body = decodeBody(record.body, 'record of the previous backup');
    if (!isFile(body)) return false;
    // What list chunks name is not known without reading them: read such a file again.
    return (body.flags & FLAG.listed) !== 0 || body.refs.some((ref) => this.#packs?.has(Buffer.from(ref.pack).toString('hex')));
  }
}
