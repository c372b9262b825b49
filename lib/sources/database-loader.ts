import type { ByteString } from '../model/byte-string.ts';
import type { CountedTable } from './source.ts';

/**
 * Brings backups back into databases of one kind. Composition roots make it, by the scheme of a URL or the type of a
 * declared target; nobody else knows which kind it is. A wish that it cannot fulfil fails as `usage`, and is never ignored.
 */
export interface DatabaseLoader {
  /** The type of source whose backups it takes, as in `holdfast.yaml`: `postgres`. */
  readonly kind: string;
  /** Where it restores to, for people: `database app at db.internal:5432 as holdfast`. Never holds a secret. */
  readonly description: string;
  /** That it knows the mode `keep`; others are never asked for it. */
  readonly isAbleToKeep?: boolean;

  /**
   * What restoring would do, a load for each database, to be performed in this order; changes nothing, callable any number of times. Fails with the reason why it could not
   * succeed: `target-exists` when the database holds something and nobody said `clean`, or is there and was to be created
   * (R1); `not-found` and `refused` when the backup has no archive that it can read; `unsupported`, `permission`,
   * `source-failed` and `target-failed` for a server that is not reached, or lacks what the archive needs.
   */
  plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<readonly DatabaseLoad[]>;
}

export interface LoadRequest {
  /**
   * `empty`: into a database that is there and holds nothing. `create`: into a new one. `clean`: what the backup has is
   * dropped there and replaced; what else is there stays. `keep`: what is there stays, and what is missing comes in.
   */
  readonly mode: LoadMode;
  /** Everything belongs to the user who restores; no privileges. */
  readonly isWithoutOwners?: boolean | undefined;
  /** Path of the archive in the backup; the only one by default. */
  readonly entry?: string | undefined;
  /** Only these tables, with what belongs to them: `schema.table` or `table`, `*` and `?` for others. */
  readonly tables?: readonly string[] | undefined;
  /** Only these schemas, with `*` and `?`. */
  readonly schemas?: readonly string[] | undefined;
  /** Connections that load at the same time; one by default. */
  readonly jobs?: number | undefined;
}

export type LoadMode = 'empty' | 'create' | 'clean' | 'keep';

/** One load to be. Nothing is changed before `perform`. */
export interface DatabaseLoad {
  readonly mode: LoadMode;
  /** The database, for people: `database app at db.internal:5432 as holdfast`. Never holds a secret. */
  readonly description: string;
  /** Path of the archive, for people. */
  readonly entry: string;
  readonly bytes: number;
  /** For people: `app at db.internal:5432`. */
  readonly place: string;
  /** For people, where it is no database: `the roles of db.internal:5432`. */
  readonly into?: string | undefined;
  /** What a part of it is called, and one piece of a part; table and row by default. */
  readonly words?: PartWords | undefined;
  /** Where the archive comes from; versions as programs call themselves. */
  readonly archive: { readonly server: string; readonly dumpedBy: string; readonly database: string };
  /** Versions of the program that loads, and of the server that is loaded into. */
  readonly client: string;
  readonly server: string;
  /** What the database holds now. */
  readonly existing: { readonly objects: number; readonly tables: readonly string[] };
  readonly warnings: readonly string[];

  /**
   * Loads; call it once. Whatever fails, or an abort of the signal, leaves what was there before: it resolves only when
   * everything of the archive is there.
   */
  perform(options: LoadOptions): Promise<LoadedDatabase>;
  /** Looks anew, under the name that the database has now, and names tables of the archive that are not there (R8). */
  missingTables(signal: AbortSignal): Promise<string[]>;
}

export interface PartWords {
  readonly table: string;
  readonly row: string;
}

export interface LoadOptions {
  readonly signal: AbortSignal;
  /** Told how many bytes of the archive went in so far. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

export interface LoadedDatabase {
  /** Of the archive that went in. */
  readonly bytes: number;
  /** Counted in the restored database, in order of their names. */
  readonly tables: readonly TableCount[];
  /** What only loading could show. */
  readonly warnings: readonly string[];
  /** The same, where nothing is wrong. */
  readonly notes?: readonly string[] | undefined;
}

export interface TableCount {
  readonly schema: string;
  readonly table: string;
  readonly rows: number;
}

/** What a loader sees of a backup. */
export interface BackupContent {
  /** Its id, for messages. */
  readonly backup: string;
  /** Files at and below a path, in order; all of them for the empty path. Only that part of the backup is looked at. */
  files(below: string): AsyncIterable<ContentFile>;
  /** What was found out about an entry when it was backed up, by its path; undefined when nothing was. */
  evidenceOf(entry: string): ContentEvidence | undefined;
}

export interface ContentEvidence {
  readonly tables?: readonly CountedTable[] | undefined;
  readonly versions?: Readonly<Record<string, string>> | undefined;
}

export interface ContentFile {
  readonly path: ByteString;
  readonly bytes: number;
  /** From its beginning, each chunk proved. Fails as `damaged`, after the bytes before. */
  read(): AsyncIterable<Uint8Array>;
}
