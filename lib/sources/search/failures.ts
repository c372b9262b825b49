import type { ErrorCode } from '../../model/errors.ts';
import { HoldfastError } from '../../model/errors.ts';
import { placeOf, secretsOf } from './connection.ts';
import type { SearchConnection } from './connection.ts';

/** Of whom is told what failed: a backup reads a cluster, a restore fills one. */
export interface FailurePlace {
  readonly connection: SearchConnection;
  readonly role: 'source' | 'target';
}

interface FailureRow {
  readonly statuses?: readonly number[];
  readonly pattern?: RegExp;
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly words: string;
  readonly nextStep: string;
}

/** The first that fits; `words` goes between the place and what the server said. */
const ROWS: readonly FailureRow[] = [
  { pattern: /search_context_missing_exception/, words: 'has let the point in time go that this reads from, because it expired or a node left', nextStep: 'Start again; if it comes back, see whether the vault takes data so slowly that the cluster forgets, and whether nodes restart.', retryable: true },
  { statuses: [401], code: 'permission', words: 'does not know this user', nextStep: 'Check the user and where the password or the API key comes from.' },
  { statuses: [403], pattern: /cluster_block_exception|FORBIDDEN\/\d+\//, words: 'refuses this because of a block on the index or on the cluster', nextStep: 'See the `index.blocks` settings; a disk that is nearly full sets one by itself.' },
  { statuses: [403], code: 'permission', words: 'does not allow this', nextStep: 'Give the user what docs/sources/elasticsearch.md lists.' },
  { pattern: /index_not_found_exception/, words: 'has no such index', nextStep: 'Check the names of the indices; one that was deleted meanwhile fails the run, too: start it again.', retryable: true },
  { pattern: /circuit_breaking_exception/, words: 'has not enough memory for this now', nextStep: 'Start again when the cluster is less busy, or give its nodes more heap.', retryable: true },
  { pattern: /too many (point in time|pit|scroll|open)[^.]*contexts/i, words: 'holds as many points in time as it may', nextStep: 'End other readers, or raise the limit that it names.', retryable: true },
  { statuses: [503], pattern: /missing shards/, code: 'unavailable', words: 'lacks a shard of what this reads', nextStep: 'See `_cluster/health` and `_cat/shards`: a primary may be unassigned. Start again when they are all there; a backup of the others is none.', retryable: true },
  { statuses: [429, 502, 503, 504], code: 'unavailable', words: 'does not answer this now', nextStep: 'See the health of the cluster, and start again.', retryable: true },
];

export interface ServerAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** What an answer that is no success means, in the server's own words. `what` was asked: `POST /_search`. */
export function answerFailure(answer: ServerAnswer, what: string, place: FailurePlace): HoldfastError {
  const { connection } = place;
  const said = hidden(saidBy(answer.body), connection);
  const row = ROWS.find(({ statuses, pattern }) => (statuses?.includes(answer.status) ?? true) && (pattern?.test(said) ?? true));
  const { code = failed(place), words = 'refused this', nextStep = 'Mend what it says, and start again.', retryable = false } = row ?? {};
  return new HoldfastError(code, `The cluster at ${placeOf(connection)} ${words} (${what}, HTTP ${answer.status}).${said === '' ? '' : ` It said: ${said}`}`, { nextStep: whatIsKept(place, nextStep), retryable, data: { status: answer.status } });
}

/** For shards that failed inside of an answer that calls itself a success. */
export function shardFailure(said: Buffer, what: string, place: FailurePlace): HoldfastError {
  return new HoldfastError(failed(place), `Not every shard answered the cluster at ${placeOf(place.connection)} (${what}): ${hidden(shortened(said.toString('utf8')), place.connection)}`, { nextStep: whatIsKept(place, 'See `_cluster/health` and `_cat/shards`: a primary may be unassigned. Start again when they are all there.'), retryable: true });
}

export function connectionFailure(cause: unknown, place: FailurePlace): HoldfastError {
  const { code = '', message = String(cause) } = cause as { readonly code?: string; readonly message?: string };
  const row = CONNECTION_ROWS.find(({ pattern }) => pattern.test(`${code} ${message}`));
  return new HoldfastError(failed(place), `The cluster at ${placeOf(place.connection)} cannot be reached or broke off: ${hidden(message || code, place.connection)}.`, {
    nextStep: whatIsKept(place, row?.nextStep ?? 'Check host and port, that the cluster runs and listens there, and that no firewall or proxy stands between.'), retryable: row === undefined, cause,
  });
}

const CONNECTION_ROWS = [
  { pattern: /CERT|self.signed|altnames|unable to (get|verify)/i, nextStep: 'Name the authority that signed the certificate of the server with `ca-file`, and check that the host name is the one in the certificate.' },
  { pattern: /EPROTO|wrong version number|Parse Error/i, nextStep: 'Check whether the endpoint wants https:// or http://.' },
] as const;

function failed({ role }: FailurePlace): ErrorCode {
  return role === 'source' ? 'source-failed' : 'target-failed';
}

function whatIsKept({ role }: FailurePlace, nextStep: string): string {
  return `${role === 'source' ? 'Nothing of this run is kept. ' : ''}${nextStep}`;
}

export function hidden(text: string, connection: SearchConnection): string {
  return secretsOf(connection).reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

/** `type: reason` of each cause that the server names, or the beginning of what it said. */
function saidBy(body: Buffer): string {
  const text = body.toString('utf8', 0, 1 << 20);
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown };
    const causes = typeof error === 'object' && error !== null ? [...causesIn(error as Cause)] : [];
    if (causes.length > 0) return shortened([...new Set(causes)].join('; '));
    if (typeof error === 'string') return shortened(error);
  } catch {
    // Not JSON: a proxy may have answered.
  }
  return shortened(text);
}

interface Cause {
  readonly type?: string;
  readonly reason?: unknown;
  readonly caused_by?: Cause;
  readonly root_cause?: readonly Cause[];
}

function* causesIn({ type, reason, caused_by: inner, root_cause: roots = [] }: Cause): Generator<string> {
  if (typeof reason === 'string') yield `${type}: ${reason}`;
  for (const cause of [...roots, ...(inner === undefined ? [] : [inner])]) yield* causesIn(cause);
}

function shortened(text: string): string {
  const clean = text.replaceAll(/\s+/g, ' ').trim();
  return clean.length > 800 ? `${clean.slice(0, 800)}…` : clean;
}
