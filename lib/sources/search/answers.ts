import { HoldfastError } from '../../model/errors.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';
import { shardFailure } from './failures.ts';
import { membersOf, parsed, slice } from './json-spans.ts';
import type { Span } from './json-spans.ts';

/** Counts of an answer: an index of which a shard is missing is not whole, whatever else the answer says. */
export interface ShardCounts {
  readonly total?: number;
  readonly successful?: number;
  readonly failed?: number;
}

export function areWhole({ total, successful, failed }: ShardCounts): boolean {
  return failed === 0 && total !== undefined && successful === total;
}

/** Fails as `source-failed` unless every shard has answered, in time. */
export function provedAnswer(answer: Buffer, client: SearchClient): Map<string, Span> {
  const members = membersOf(answer);
  const [timedOut, shards] = ['timed_out', '_shards'].map((name) => members.get(name));
  if (timedOut === undefined || shards === undefined) throw shardFailure(answer.subarray(0, 800), 'POST /_search, an answer without `timed_out` and `_shards`', client);
  if (parsed<unknown>(answer, timedOut) !== false) throw new HoldfastError('source-failed', `A search at ${placeOf(client.connection)} ran out of time (timed_out), and its answer is a part only.`, { nextStep: 'Nothing of this run is kept. Raise search.default_search_timeout, or start the backup when the cluster is less busy.', retryable: true });
  if (!areWhole(parsed<ShardCounts>(answer, shards))) throw shardFailure(slice(answer, shards), 'POST /_search', client);
  return members;
}
