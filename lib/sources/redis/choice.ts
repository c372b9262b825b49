import { byteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { LoadRequest } from '../database-loader.ts';
import type { RdbRecord } from './snapshots-in.ts';

/** What of a snapshot is wanted. */
export type Choice = (record: RdbRecord) => boolean;

/** Of one database or of all, and of keys by pattern (`*`, `?`); libraries of functions belong to no database, and come with everything. */
export function choiceOf({ tables = [] }: Pick<LoadRequest, 'tables'>, database: number | undefined): Choice {
  const patterns = tables.map((table) => new RegExp(`^${Buffer.from(table).latin1Slice().replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 's'));
  return (record) => {
    if (record.kind === 'functions') return database === undefined && patterns.length === 0;
    return (database === undefined || record.database === database) && (patterns.length === 0 || patterns.some((pattern) => pattern.test(byteString(record.name))));
  };
}

/** A wish that means nothing here is never ignored. */
export function refuseWishes({ mode, schemas = [], jobs = 1, isWithoutOwners }: LoadRequest): void {
  const refused = mode === 'create' ? '--create: a server has its databases already' : schemas.length > 0 ? '--schema: a database there has none' : jobs > 1 ? 'several jobs' : isWithoutOwners === true ? '--no-owner: keys have none' : undefined;
  if (refused !== undefined) throw new HoldfastError('usage', `A restore into Redis or Valkey does not know ${refused}. Nothing was done.`, { nextStep: 'Leave it away; for keys that are there already choose --keep-existing or --clean.' });
}
