import type { ByteString } from '../model/byte-string.ts';

/**
 * What a plan protects. A source says what it is, checks that it can run, and produces either a tree, which the engine
 * walks, or streams, which the engine reads from file descriptors.
 */
export type Source = TreeSource | StreamSource;

interface SourceCommon {
  /** As in `holdfast.yaml`: `files`, `sqlite`, `command`, `stdin`. */
  readonly type: string;
  /** For people: list, show, error messages. Never holds a secret. */
  readonly description: string;

  /** Fails with the reason why a run would fail, before anything is written. Callable any number of times. */
  check(): Promise<void>;
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

/** What the reader saw, so that the producer's word is compared with what was kept. */
export interface StreamSeen {
  readonly bytes: number;
  /** The last `TAIL_BYTES` bytes, or all when there were fewer. */
  readonly tail: Uint8Array;
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
