import { join } from 'node:path';
import type { ResolvedRestoreTarget } from '../config/resolved-aws.ts';
import type { DatabaseLoader } from '../sources/database-loader.ts';
import { PostgresLoader } from '../sources/postgres/loader.ts';
import type { RestoreTaskContext } from './restore-task.ts';
import { connectionOf } from './source-of.ts';

type DatabaseTarget = Exclude<ResolvedRestoreTarget, { type: 'directory' }>;

/** The loader of a declared target, inside its task; user and password are fetched now. */
export async function loaderOf(target: DatabaseTarget, { commandEnvironment, scratchFolder, clock, resolveSecret }: RestoreTaskContext): Promise<DatabaseLoader> {
  switch (target.type) {
    case 'postgres':
      return new PostgresLoader({ connection: await connectionOf(target, resolveSecret), environment: commandEnvironment, temporaryFolder: scratchFolder, scratchFolder: join(scratchFolder, 'copies'), clock });
  }
}
