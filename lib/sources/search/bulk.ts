import type { Clock } from '../../model/clock.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';
import { hidden } from './failures.ts';

/** What goes into one request; a larger document goes alone. */
const BULK_BYTES = 4 << 20;
const NEWLINE = 0x0a;

export interface BulkBody {
  readonly bytes: Buffer;
  readonly documents: number;
}

/** Cuts lines into requests, always behind a whole document. Fails as `damaged` when the last one is not whole. */
export async function* bulkBodies(content: AsyncIterable<Uint8Array>): AsyncGenerator<BulkBody> {
  let parts: Buffer[] = [];
  let [bytes, lines] = [0, 0];
  for await (const part of content) {
    // A reader may use its memory again for what comes next.
    let rest = Buffer.from(part);
    for (let end = rest.indexOf(NEWLINE); end !== -1; end = rest.indexOf(NEWLINE)) {
      parts.push(rest.subarray(0, end + 1));
      bytes += end + 1;
      rest = rest.subarray(end + 1);
      if (++lines % 2 === 1 || bytes < BULK_BYTES) continue;
      yield { bytes: Buffer.concat(parts), documents: lines / 2 };
      [parts, bytes, lines] = [[], 0, 0];
    }
    parts.push(rest);
    bytes += rest.length;
  }
  if (lines % 2 === 1 || (parts.at(-1)?.length ?? 0) > 0) throw new HoldfastError('damaged', 'The documents of the backup end within one.', { nextStep: 'Run `holdfast verify --level full`.' });
  if (lines > 0) yield { bytes: Buffer.concat(parts), documents: lines / 2 };
}

interface BulkAnswer {
  readonly errors?: boolean;
  readonly items?: readonly Readonly<Record<string, BulkItem>>[];
}

interface BulkItem {
  readonly _id?: string;
  readonly status?: number;
  readonly error?: { readonly type?: string; readonly reason?: string; readonly caused_by?: { readonly type?: string; readonly reason?: string } };
}

export interface BulkPorts {
  readonly client: SearchClient;
  readonly index: string;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly signal: AbortSignal;
}

const ATTEMPTS = 8;
const PAUSE_MILLISECONDS = 500;
const NAMED = 3;

/**
 * Puts documents into an index; each has its id, so that doing it twice is doing it once. Waits and tries again while the
 * cluster is too busy to take them. Fails as `target-failed`, naming documents that were refused and why.
 */
export async function sendBulk({ bytes, documents }: BulkBody, { client, index, clock, signal }: BulkPorts): Promise<void> {
  const path = `/${index}/_bulk?pipeline=_none&filter_path=errors,items.*._id,items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by`;
  for (let attempt = 1; ; attempt++) {
    const { items = [] } = await client.json<BulkAnswer>({ method: 'POST', path, body: bytes, type: 'application/x-ndjson' }, signal);
    const results = items.flatMap((item) => Object.values(item));
    if (results.length !== documents) throw failed(client, `answered for ${results.length} of ${documents} documents`, 'Start the restore again; if it comes back, look for a proxy between that cuts answers.');
    const refused = results.filter(({ status = 0 }) => status < 200 || status >= 300);
    if (refused.length === 0) return;
    if (attempt === ATTEMPTS || refused.some(({ status }) => status !== 429)) throw failed(client, `refused ${refused.length} of ${documents} documents: ${refused.slice(0, NAMED).map(inWords).join('; ')}${refused.length > NAMED ? `; and ${refused.length - NAMED} more` : ''}`, 'The index is not restored. What it says is about mapping or settings most often: a cluster of another version or product may not know them.');
    await clock.sleep(PAUSE_MILLISECONDS * 2 ** attempt, signal);
  }
}

function inWords({ _id: id, status, error }: BulkItem): string {
  const causes = [error, error?.caused_by].filter((cause) => cause !== undefined).map(({ type, reason }) => `${type}: ${reason?.slice(0, 300)}`);
  return `document ${JSON.stringify(id)} (${status}) ${[...new Set(causes)].join('; ')}`;
}

function failed(client: SearchClient, why: string, nextStep: string): HoldfastError {
  return new HoldfastError('target-failed', `The cluster at ${placeOf(client.connection)} ${hidden(why, client.connection)}.`, { nextStep });
}
