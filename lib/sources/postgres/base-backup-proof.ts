import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { HoldfastError } from '../../model/errors.ts';
import { limitsInControl } from './control-limits.ts';
import type { ServerLimits } from './control-limits.ts';
import { TarReader } from '../tar-reader.ts';
import type { TarMember, TarVisitor } from '../tar-reader.ts';
import { parseBackupManifest } from './backup-manifest.ts';
import type { BackupManifest } from './backup-manifest.ts';
import { parseLsn, segmentName, segmentOf } from './wal/lsn.ts';

/** What a base backup was proved to hold. */
export interface ProvedBaseBackup {
  readonly files: number;
  /** Of the files, without the tar around them. */
  readonly bytes: number;
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: string;
  readonly stopLsn: string;
  readonly startSegment: string;
  /** Content of `PG_VERSION`. */
  readonly major: number;
  /** Undefined: `pg_control` is of a version that is not known. */
  readonly limits: ServerLimits | undefined;
}

/** Read whole: they say what the backup is. */
const KEPT = ['backup_label', 'backup_manifest', 'PG_VERSION', 'global/pg_control'] as const;
type Kept = (typeof KEPT)[number];
/** A manifest line takes about 170 bytes; this is more than six million files. */
const MOST_KEPT_BYTES = 1 << 30;
const TYPE = { file: '0', directory: '5' } as const;

interface Seen {
  readonly size: number;
  readonly sha256: string;
}

/**
 * Reads a base backup in tar format as it passes, and compares every file with the SHA-256 that the server wrote into
 * `backup_manifest`: what a disk, a network or a program in between cut or changed is found here. A `visitor` is told
 * the same members. Fails as `damaged`; `unsupported` for links, which only further tablespaces bring.
 */
export class BaseBackupProof implements TarVisitor {
  readonly #tar = new TarReader(this);
  readonly #visitor: TarVisitor | undefined;
  readonly #seen = new Map<string, Seen>();
  readonly #kept = new Map<string, Uint8Array[]>();
  #bytes = 0;
  #member: TarMember | undefined;
  #hash: Hash | undefined;

  constructor(visitor?: TarVisitor) {
    this.#visitor = visitor;
  }

  add(bytes: Uint8Array): void {
    this.#tar.add(bytes);
  }

  member(written: TarMember): void {
    // The server writes `./pg_wal/archive_status` and no other name so.
    const member = { ...written, name: written.name.replace(/^\.\//, '') };
    if (member.type === TYPE.file) this.#beginFile(member);
    else if (member.type !== TYPE.directory) throw new HoldfastError('unsupported', `The base backup holds ${JSON.stringify(member.name)} of tar type ${JSON.stringify(member.type)}, wanted files and directories alone: links belong to further tablespaces.`, { nextStep: 'Keep databases of such a cluster by pg_dump.' });
    this.#visitor?.member(member);
  }

  data(bytes: Uint8Array): void {
    this.#hash?.update(bytes);
    this.#bytes += bytes.length;
    // What the tar reader gives belongs to whoever reads the pipe.
    this.#kept.get(this.#member?.name ?? '')?.push(Uint8Array.from(bytes));
    this.#visitor?.data(bytes);
  }

  memberEnd(): void {
    if (this.#member !== undefined) this.#seen.set(this.#member.name, { size: this.#member.size, sha256: this.#hash?.digest('hex') ?? '' });
    this.#member = undefined;
    this.#hash = undefined;
    this.#visitor?.memberEnd();
  }

  /** Call at the end. `walSegmentBytes`: when the WAL between start and stop must be in it. */
  finish({ walSegmentBytes }: { readonly walSegmentBytes?: number | undefined }): ProvedBaseBackup {
    this.#tar.end();
    const manifest = parseBackupManifest(this.#text('backup_manifest'));
    this.#compare(manifest);
    const label = Buffer.from(this.#text('backup_label')).toString('latin1');
    const [, startLsn = '', startSegment = ''] = /^START WAL LOCATION: (\S+) \(file ([0-9A-F]{24})\)$/m.exec(label) ?? [];
    const timeline = Number(/^START TIMELINE: (\d+)$/m.exec(label)?.[1]);
    const stopLsn = manifest.walRanges.map(({ endLsn }) => endLsn).reduce((last, lsn) => (parseLsn(lsn) > parseLsn(last) ? lsn : last));
    if (startSegment === '' || !(timeline > 0)) throw broken('its backup_label does not say where its WAL begins');
    if (walSegmentBytes !== undefined) this.#checkWal(manifest, walSegmentBytes);
    const control = Buffer.from(this.#text('global/pg_control'));
    if (control.length < 8) throw broken('its global/pg_control is empty');
    return { files: this.#seen.size, bytes: this.#bytes, systemId: control.readBigUInt64LE(0).toString(), timeline, startLsn, stopLsn, startSegment, major: Number.parseInt(Buffer.from(this.#text('PG_VERSION')).toString('latin1'), 10), limits: limitsInControl(control) };
  }

  #beginFile(member: TarMember): void {
    if (this.#seen.has(member.name)) throw broken(`it holds ${JSON.stringify(member.name)} twice`);
    this.#member = member;
    this.#hash = createHash('sha256');
    if (!isKept(member.name)) return;
    if (member.size > MOST_KEPT_BYTES) throw broken(`its ${member.name} has ${member.size} bytes, wanted at most ${MOST_KEPT_BYTES}`);
    this.#kept.set(member.name, []);
  }

  #text(name: Kept): Uint8Array {
    const parts = this.#kept.get(name);
    if (parts === undefined) throw broken(`it has no ${name}`);
    return Buffer.concat(parts);
  }

  /** WAL and the manifest itself are in no manifest (WAL proves itself: every record has a checksum). */
  #compare({ files }: BackupManifest): void {
    for (const [name, wanted] of files) {
      const seen = this.#seen.get(name);
      if (seen === undefined) throw broken(`the server sent ${JSON.stringify(name)}, and it is not there`);
      if (seen.size !== wanted.size) throw broken(`${JSON.stringify(name)} has ${seen.size} bytes, the server sent ${wanted.size}`);
      if (seen.sha256 !== wanted.sha256) throw broken(`${JSON.stringify(name)} is not what the server sent: its SHA-256 is ${seen.sha256}, wanted ${wanted.sha256}`);
    }
    for (const name of this.#seen.keys()) {
      if (!files.has(name) && name !== 'backup_manifest' && !name.startsWith('pg_wal/')) throw broken(`it holds ${JSON.stringify(name)}, of which the server says nothing`);
    }
  }

  #checkWal({ walRanges }: BackupManifest, walSegmentBytes: number): void {
    for (const { timeline, startLsn, endLsn } of walRanges) {
      // The last byte before the end: a backup that ends at the border of a segment needs none behind it.
      const last = segmentOf(parseLsn(endLsn) - 1n, walSegmentBytes);
      for (let number = segmentOf(parseLsn(startLsn), walSegmentBytes); number <= last; number++) {
        const name = segmentName(timeline, number, walSegmentBytes);
        const seen = this.#seen.get(`pg_wal/${name}`);
        if (seen?.size !== walSegmentBytes) throw broken(`its WAL segment ${name} ${seen === undefined ? 'is not there' : `has ${seen.size} bytes`}, wanted ${walSegmentBytes} bytes of every one between ${startLsn} and ${endLsn}`);
      }
    }
  }
}

function isKept(name: string): name is Kept {
  return KEPT.some((kept) => kept === name);
}

function broken(complaint: string): HoldfastError {
  return new HoldfastError('damaged', `The base backup is not whole: ${complaint}.`, { nextStep: 'Run `holdfast verify --level full` to see whether the vault is damaged.' });
}
