import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { provedAnswer } from './answers.ts';
import { TooLarge } from './client.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';
import { shardFailure } from './failures.ts';
import { elementsOf, membersOf, oneLine, parsed, slice } from './json-spans.ts';
import type { PointInTime } from './point-in-time.ts';

/** Of a page: what is gained above is little, and both sides hold it in memory. */
const PAGE_BYTES = 4 << 20;
/** A page that turns out larger is asked for again with fewer documents; a single document may be as large as servers take. */
const LARGEST_PAGE_BYTES = 32 << 20;
const MOST_DOCUMENTS = 5000;
const FIRST_DOCUMENTS = 50;

const EMPTY = Buffer.alloc(0);
const [HEAD, ROUTING, HEAD_END, LINE_END] = ['{"index":{"_id":', ',"routing":', '}}\n', '\n'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer, Buffer];

/**
 * The documents of an index as `_bulk` takes them: a line with id and routing, a line with the bytes that somebody stored.
 *
 * A slice for each shard (`max` as many as the index has shards: then both servers cut just there), in it by sequence number, which no
 * two documents of a shard share. So a page goes on exactly behind the one before, without loading ids into the memory of the
 * cluster; and what did not change keeps its place from one backup to the next, whatever is merged meanwhile (decision 0033).
 */
export class DocumentReader {
  readonly #pit: PointInTime;
  readonly #client: SearchClient;
  readonly #signal: AbortSignal;
  #size = FIRST_DOCUMENTS;
  #count = 0;

  constructor(client: SearchClient, pit: PointInTime, signal: AbortSignal) {
    [this.#client, this.#pit, this.#signal] = [client, pit, signal];
  }

  /** Given so far. */
  get count(): number {
    return this.#count;
  }

  /** Ends only when as many were given as the server counted. */
  async *lines(): AsyncGenerator<Buffer> {
    const { shards, total, index } = this.#pit;
    for (let shard = 0; shard < shards; shard++) yield* this.#shard(shard);
    if (this.#count === total) return;
    throw new HoldfastError('source-failed', `${this.#count} documents of index ${index} at ${placeOf(this.#client.connection)} were read, and the cluster counted ${total} in the same point in time.`, { nextStep: 'Nothing of this run is kept; start the backup again. If it comes back, look at the shards of the index (`_cat/shards`).' });
  }

  /** The next page is on its way while somebody takes the one before. */
  async *#shard(shard: number): AsyncGenerator<Buffer> {
    let coming: Promise<Page> | undefined = this.#page(shard, undefined);
    while (coming !== undefined) {
      const page: Page = await coming;
      coming = page.last === undefined ? undefined : this.#page(shard, page.last);
      // Whoever stops reading leaves it unawaited.
      coming?.catch(() => undefined);
      this.#count += page.count;
      if (page.lines.length > 0) yield page.lines;
    }
  }

  async #page(shard: number, after: Buffer | undefined): Promise<Page> {
    for (;;) {
      const size = Math.min(this.#size, this.#pit.largestPage);
      try {
        const page = await this.#ask(shard, after, size);
        this.#size = Math.max(1, Math.min(MOST_DOCUMENTS, size * 2, Math.floor((PAGE_BYTES * page.count) / Math.max(1, page.bytes))));
        return page;
      } catch (error) {
        if (size === 1 || !isTooMuch(error)) throw error;
        this.#size = Math.max(1, size >> 2);
      }
    }
  }

  async #ask(shard: number, after: Buffer | undefined, size: number): Promise<Page> {
    const { shards, id } = this.#pit;
    const slices = shards > 1 ? `"slice":{"id":${shard},"max":${shards}},` : '';
    const body = `{"size":${size},${slices}"sort":[{"_seq_no":{"order":"asc","unmapped_type":"long"}}],"track_total_hits":false,"_source":${this.#pit.source},${after === undefined ? '' : `"search_after":${after.toString('latin1')},`}"pit":{"id":${JSON.stringify(id)},"keep_alive":"${this.#pit.keepAlive}"}}`;
    const call = { method: 'POST', path: '/_search?allow_partial_search_results=false', body, ...(size > 1 && { limitBytes: LARGEST_PAGE_BYTES }) } as const;
    const { body: answer } = await this.#client.ask(call, this.#signal);
    return pageOf(answer, this.#pit, this.#client);
  }
}

interface Page {
  readonly lines: Buffer;
  readonly count: number;
  /** Of the answer. */
  readonly bytes: number;
  /** Sort values of its last document; undefined for the page behind the last. */
  readonly last: Buffer | undefined;
}

function pageOf(answer: Buffer, pit: PointInTime, client: SearchClient): Page {
  const members = provedAnswer(answer, client);
  const renewed = members.get('pit_id');
  if (renewed !== undefined) pit.id = parsed<string>(answer, renewed);
  const hits = elementsOf(answer, membersOf(answer, members.get('hits')?.from).get('hits')?.from);
  const lines: Buffer[] = [];
  let last: Buffer | undefined;
  for (const { from } of hits) {
    const hit = membersOf(answer, from);
    const [id, source, routing, sort] = ['_id', '_source', '_routing', 'sort'].map((name) => hit.get(name));
    if (id === undefined || sort === undefined) throw shardFailure(answer.subarray(from, from + 800), 'POST /_search, a document without `_id` and `sort`', client);
    if (source === undefined) throw withoutSource(pit.index, slice(answer, id).toString('utf8'), client);
    lines.push(HEAD, slice(answer, id), ...(routing === undefined ? [] : [ROUTING, slice(answer, routing)]), HEAD_END, oneLine(slice(answer, source)), LINE_END);
    last = slice(answer, sort);
  }
  return { lines: lines.length === 0 ? EMPTY : Buffer.concat(lines), count: hits.length, bytes: answer.length, last };
}

function withoutSource(index: string, id: string, client: SearchClient): HoldfastError {
  return new HoldfastError('source-failed', `The cluster at ${placeOf(client.connection)} keeps no source of document ${id} of index ${index}: only what is searched was stored, and no document can be made of that.`, { nextStep: 'Nothing of this run is kept. Leave the index out with `exclude`, and keep what it is filled from; see `_source.enabled` in its mapping.' });
}

function isTooMuch(error: unknown): boolean {
  return error instanceof TooLarge || (isHoldfastError(error) && /circuit_breaking_exception/.test(error.message));
}
