import type { ByteString } from '../model/byte-string.ts';
import type { Inspected, Inspection } from './stream-inspection.ts';

/**
 * What a plan protects. A source says what it is, checks that it can run, and produces either a tree, which the engine
 * walks, or streams, which the engine reads from file descriptors, or bodies, which are streams that this process makes in
 * its memory, several at once, or objects, which the engine asks for one by one and takes over from the backup before where
 * they are unchanged. Or it is a set of such sources.
 */
export type Source = SingleSource | SourceSet;

export type SingleSource = TreeSource | StreamSource | BodySource | ObjectSource;

interface SourceCommon {
  /** As in `holdfast.yaml`: `files`, `sqlite`, `command`, `stdin`. */
  readonly type: string;
  /** For people: list, show, error messages. Never holds a secret. */
  readonly description: string;
  /** Less than this in all fails the run: a floor against an empty mount, or a prefix that nothing has. */
  readonly minimumBytes?: number | undefined;

  /** Fails with the reason why a run would fail, before anything is written. Callable any number of times. */
  check(): Promise<void>;
}

/** Several sources in one backup, which holds all of them or is not made (requirement P4). */
export interface SourceSet extends SourceCommon {
  readonly shape: 'set';
  /** In the order in which they are read, one after another; each lies below a folder of its name. */
  readonly parts: readonly SourcePart[];
  /** Absent: whatever writes to the parts goes on while they are read. */
  readonly standstill?: Standstill | undefined;
}

export interface SourcePart {
  /** One component of a path. */
  readonly name: ByteString;
  readonly source: SingleSource;
}

/** Holds still what writes to the parts of a set. */
export interface Standstill {
  /** Resolves when it holds, with what is suspect about it. Fails as `source-failed`, `interrupted`. */
  begin(signal: AbortSignal): Promise<readonly string[]>;
  /** Sets everything going again, also after a `begin` that failed. Never fails: says what could not be set going. */
  end(): Promise<readonly string[]>;
}

export interface TreeSource extends SourceCommon {
  readonly shape: 'tree';
  readonly paths: readonly ByteString[];
  readonly options: TreeOptions;
}

export interface TreeOptions {
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly isOneFileSystem: boolean;
  readonly isFollowingSymlinks: boolean;
  readonly changeDetection: 'auto' | 'ctime+inode' | 'ctime' | 'mtime' | 'content';
  readonly isKeepingXattrs: boolean;
}

export interface ObjectSource extends SourceCommon {
  readonly shape: 'objects';
  /** Patterns over paths in the backup, as of trees. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  /** Objects that may be open at once: latency, not the processor, decides how fast small ones come. */
  readonly parallel: number;

  /**
   * The objects in the order of the entry tree (`comparePaths`), each path once and none the folder of another. Returns,
   * with why the list is believed to be whole, only after the last was given; otherwise fails, and the run keeps nothing.
   */
  objects(signal: AbortSignal): AsyncGenerator<SourceObject, ObjectsProof>;
}

export interface ObjectsProof {
  /** For example `1,204 keys in a listing that ended`. */
  readonly evidence: readonly string[];
  readonly facts?: StreamProof['facts'];
  /** What was not there and need not be; each becomes a warning of the run. */
  readonly warnings?: readonly ObjectsWarning[];
}

export interface ObjectsWarning {
  readonly code: string;
  /** In the backup, were it there. */
  readonly path: ByteString;
  readonly message: string;
}

/** One entry to be, as a list tells of it. */
export interface SourceObject {
  readonly path: ByteString;
  /** Bytes, by the list; undefined where only reading tells. */
  readonly size: number | undefined;
  /** It can no longer be read: what the backup before holds of it is taken over by full backups, too. */
  readonly isOnlyKept?: boolean;
  /** True when the backup before holds exactly what is listed now: nothing is read then. */
  isUnchanged(previous: KeptObject): boolean;
  /**
   * What is there at this moment, which may be newer than the list. Callable again, several at a time. Fails as
   * `source-failed`, `permission`, `unavailable`, `unsupported`, `interrupted`.
   */
  open(): Promise<OpenObject | MissedObject>;
}

/** What the backup before says of an object of this path. */
export interface KeptObject {
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly attributes: readonly ObjectAttribute[];
}

export interface ObjectAttribute {
  readonly name: ByteString;
  readonly value: Uint8Array;
}

/** Why there is nothing to read; told as a warning. `vanished`: no entry; `unreadable`: an entry without content. */
export interface MissedObject {
  readonly missed: 'vanished' | 'unreadable';
  readonly reason: string;
  readonly attributes: StreamAttributes;
}

export interface OpenObject {
  readonly attributes: StreamAttributes;
  /** Kept as extended attributes of the entry; `isUnchanged` gets them back. Asked for when the body has ended. */
  readonly extended: readonly ObjectAttribute[];
  /** What is whole and yet may not be what somebody meant. Asked for when the body has ended. */
  readonly warnings?: readonly string[];
  /** Undefined: as many as the body has. */
  readonly size: number | undefined;
  /** Changed so shortly before that it may change again without a trace: it is read again the next time. */
  readonly isRacy: boolean;
  /**
   * All bytes, once. Ends only when they are those that were announced; fails as `stale` when the object was replaced
   * meanwhile: open it again.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** When the body is not read; callable any number of times. */
  discard(): void;
}

export interface StreamSource extends SourceCommon {
  readonly shape: 'streams';

  /**
   * The streams, one after another; each is finished and closed before the next is asked for. An abort of `signal`
   * ends producers; what is under way then fails as `interrupted`.
   */
  streams(signal: AbortSignal): AsyncIterable<SourceStream>;
}

/** One entry to be. Nothing runs before `open`. */
export interface SourceStream {
  /** Path of the entry, relative; the folders in it become entries, too. */
  readonly name: ByteString;
  readonly attributes: StreamAttributes;
  /** Bytes, when they can be known before. */
  readonly sizeHint?: number;
  /** Starts the producer. Fails as `source-failed`, `busy`, `no-space`, `permission`. */
  open(): Promise<OpenStream>;
}

export interface OpenStream {
  /**
   * Read this to its end from its present position; any thread may, with blocking reads of any size. A read may answer
   * EAGAIN when standard input was made non-blocking by whoever opened it. Belongs to the stream: do not close it.
   */
  readonly fd: number;
  /** Bytes, exactly, when opening made them known. */
  readonly size?: number;
  /** Whoever reads lets this look at every byte, in order, and ends when it fails; what it says goes to `finish`. */
  readonly inspection?: Inspection;

  /**
   * Call when the reader has seen the end. Waits for the producer to end and answers only when it ended well and
   * everything it had to say was seen; otherwise fails as `source-failed` (or `interrupted`), and the run must keep
   * nothing of the stream.
   */
  finish(seen: StreamSeen): Promise<StreamProof>;

  /**
   * Ends what still runs and releases everything. Callable twice, and also while a reader is blocked in a read that it
   * will not return from by itself. Call it always, after `finish` too.
   */
  close(): Promise<void>;
}

export interface BodySource extends SourceCommon {
  readonly shape: 'bodies';
  /** Bodies that may be open at once. */
  readonly parallel: number;

  /**
   * The bodies, in any order. Each is opened soon after it was given, and read at once with the others; what the last one
   * needs of those before it may be waited for here. An abort of `signal` ends what is under way, which fails as `interrupted`.
   */
  bodies(signal: AbortSignal): AsyncGenerator<SourceBody, void>;
}

/** One entry to be. Nothing is asked for before `open`. */
export interface SourceBody {
  /** Path of the entry, relative; the folders in it become entries, too. */
  readonly name: ByteString;
  readonly attributes: StreamAttributes;
  /** Fails as `source-failed`, `busy`, `permission`, `interrupted`. */
  open(): Promise<OpenBody>;
}

export interface OpenBody {
  /** Bytes, exactly, when opening made them known. */
  readonly size?: number;
  /** All bytes, once; each piece is valid until the next is asked for. Fails where the producer failed, and ends only when all was given. */
  readonly body: AsyncIterable<Uint8Array>;
  /** As that of an `OpenStream`. */
  finish(seen: Pick<StreamSeen, 'bytes'>): Promise<StreamProof>;
  /** Releases everything; what is still asked for fails then. Callable twice, and after `finish` too. */
  close(): Promise<void>;
}

/** What the reader saw, so that the producer's word is compared with what was kept. */
export interface StreamSeen {
  readonly bytes: number;
  /** The last `TAIL_BYTES` bytes, or all when there were fewer. */
  readonly tail: Uint8Array;
  /** Of a stream with an `inspection`. */
  readonly inspected?: Inspected | undefined;
}

/** An end marker must lie within these last bytes. */
export const TAIL_BYTES = 4096;

/** Why the stream is believed to be whole; goes into the run's record. */
export interface StreamProof {
  readonly bytes: number;
  /** For example `exit code 0`, `integrity_check ok`. */
  readonly evidence: readonly string[];
  /** What a database held when the stream was made, counted by another way than the stream; kept with the backup. */
  readonly tables?: readonly CountedTable[];
  /** Of what the stream came from, by name: `extension timescaledb`: `2.23.0`. A restore compares them. */
  readonly versions?: Readonly<Record<string, string>>;
  /** What is whole and yet may not be what somebody meant; each becomes a warning of the run. */
  readonly warnings?: readonly string[];
  /** Goes into the manifest: what later readers must know without reading data. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

export interface CountedTable {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
  /** True where the server was only asked what it believes. */
  readonly isEstimate?: boolean | undefined;
}

export interface StreamAttributes {
  /** The low 12 bits of st_mode. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}
