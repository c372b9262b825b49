import type { ResolvedConfigs } from './configs-schema.ts';
import type { ResolvedHook } from './hooks-schema.ts';
import type { ResolvedKafka } from './kafka-schema.ts';
import type { ResolvedLogs } from './logs-schema.ts';
import type { ResolvedMariadb } from './mariadb-schema.ts';
import type { ResolvedMongodb } from './mongodb-schema.ts';
import type { ResolvedRedis } from './redis-schema.ts';
import type { ResolvedS3Source } from './s3-source-schema.ts';
import type { ResolvedSearch } from './search-schema.ts';
import type { SecretReference } from './secret-reference.ts';

/** What a plan protects, with every default and absolute path filled in. */
export type ResolvedSource = ResolvedSingleSource | ResolvedSet;

export type ResolvedSingleSource = ResolvedFiles | ResolvedSqlite | ResolvedCommand | ResolvedPostgres | ResolvedPostgresPhysical | ResolvedMariadb | ResolvedRedis | ResolvedSearch | ResolvedS3Source | ResolvedKafka | ResolvedMongodb | ResolvedConfigs | ResolvedLogs;

/** Several sources that are one backup. */
export interface ResolvedSet extends ResolvedStandstill {
  readonly type: 'set';
  /** In the order in which they are read. */
  readonly parts: readonly ResolvedPart[];
}

export interface ResolvedPart {
  readonly name: string;
  readonly source: ResolvedSingleSource;
}

/** What holds still whatever writes to the parts of a set, and sets it going again. */
export interface ResolvedStandstill {
  readonly quiesce?: ResolvedHook;
  readonly resume?: ResolvedHook;
  readonly containers?: {
    /** In the order in which they are stopped. */
    readonly names: readonly string[];
    /** Absent: docker, or podman where there is no docker. */
    readonly program?: 'docker' | 'podman';
    /** One that takes longer to stop is killed. */
    readonly stopSeconds: number;
  };
}

export interface ResolvedFiles {
  readonly type: 'files';
  readonly paths: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly oneFileSystem: boolean;
  readonly followSymlinks: boolean;
  readonly changeDetection: 'auto' | 'ctime+inode' | 'ctime' | 'mtime' | 'content';
  readonly xattrs: boolean;
  /** Less than this in all fails the run; absent: nothing does. */
  readonly minimumSizeBytes?: number;
}

export interface ResolvedSqlite {
  readonly type: 'sqlite';
  readonly path: string;
}

export interface ResolvedCommand {
  readonly type: 'command';
  /** A line for the shell, or a program and its arguments. */
  readonly command: string | readonly string[];
  readonly stdinName: string;
  readonly endMarker?: string;
  readonly minimumSizeBytes: number;
}

/** How a PostgreSQL server is reached. */
export interface ResolvedPostgresPlace {
  readonly type: 'postgres';
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string | SecretReference;
  /** Absent: pgpass, or no password at all. */
  readonly password?: SecretReference;
  readonly sslMode?: 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** PEM file for verify-ca and verify-full, or the word `system`: the authorities that the machine trusts. */
  readonly sslRootCert?: string;
}

export interface ResolvedPostgres extends ResolvedPostgresPlace {
  /** Absent: `database` alone. */
  readonly databases?: readonly string[] | 'all';
  readonly globals: 'none' | 'without-passwords' | 'with-passwords';
  readonly schemas: readonly string[];
  readonly content: 'all' | 'schema' | 'data';
  readonly jobs: number;
  readonly rowCounts: 'auto' | 'exact' | 'none';
  readonly excludeTables: readonly string[];
  /** A smaller dump fails the run. */
  readonly minimumSizeBytes: number;
}

/** A base backup of a whole cluster: `type: postgres, mode: physical` in the file. */
export interface ResolvedPostgresPhysical extends Omit<ResolvedPostgresPlace, 'type'> {
  readonly type: 'postgres-physical';
  /** `fetch`: with the WAL that it needs. `none`: it restores only with an archive of WAL. */
  readonly wal: 'fetch' | 'none';
  readonly checkpoint: 'fast' | 'spread';
  /** WAL that is later than this in the vault is told; absent: nobody asked for it. */
  readonly walFreshnessMs?: number;
  /** A smaller base backup fails the run. */
  readonly minimumSizeBytes: number;
}
