import type { SearchServerUnderTest } from '../../support/servers/search.ts';

export interface AwkwardDocument {
  readonly id: string;
  readonly routing?: string;
  /** As it is stored, byte for byte. */
  readonly source: string;
  /** As it comes back where that is not the same: on one line. */
  readonly back?: string;
}

/** Three shards, a mapping with everything that a client could spoil, aliases with filters and routing. */
export const AWKWARD_INDEX = `{
  "settings": { "number_of_shards": 3, "number_of_replicas": 1, "refresh_interval": "7s", "index.mapping.total_fields.limit": 1234,
    "analysis": { "analyzer": { "plain": { "tokenizer": "standard", "filter": ["lowercase"] } } } },
  "mappings": { "dynamic": false, "properties": {
    "items": { "type": "nested", "properties": { "price": { "type": "double" } } }, "place": { "type": "geo_point" }, "when": { "type": "date", "format": "epoch_millis" },
    "count": { "type": "long", "null_value": 9223372036854775807 }, "text": { "type": "text", "analyzer": "plain", "fields": { "raw": { "type": "keyword" } } },
    "kind": { "type": "keyword" }, "other": { "type": "object", "enabled": false }, "joined": { "type": "alias", "path": "kind" } } },
  "aliases": { "all": {}, "of-a": { "filter": { "term": { "kind": "a" } }, "index_routing": "r1", "search_routing": "r1,r2" }, "written": { "is_write_index": true } }
}`;

export const AWKWARD: readonly AwkwardDocument[] = [
  { id: '1', source: '{"kind":"a","count":9223372036854775807,"other":{"big":123456789012345678901234567890,"precise":1.10,"huge":1e400,"tiny":-0.0}}' },
  { id: '2', routing: 'r1', source: '{"kind":"a","items":[{"price":1.50},{"price":2}],"place":{"lat":52.5200,"lon":13.4050}}' },
  { id: '3', routing: 'r2', source: '{\n  "kind": "b",\r\n  "text": "over several lines",\n\t"items": []\n}', back: '{  "kind": "b",  "text": "over several lines",\t"items": []}' },
  { id: '4', source: '{ "kind": "c", /* a "comment" { */ "text": "http://no.comment/*" }', back: '{ "kind": "c",  "text": "http://no.comment/*" }' },
  { id: '5', source: '{ "kind": "d", // "one more\n "text": "\\"quoted\\" \\\\" }', back: '{ "kind": "d",  "text": "\\"quoted\\" \\\\" }' },
  { id: '6', source: '{"text":"\\u00e9\\ud83d\\ude00 é😀\\n","kind":null}' },
  { id: 'a "b"/c\\d ü 😀', routing: 'r "ü"', source: '{}' },
  { id: '7', source: '{"joined-with":"{}[],:","other":{"_id":"not the id","_source":{"sort":[1]}},"sort":"me"}' },
];

export async function putAwkward(server: SearchServerUnderTest, index: string): Promise<void> {
  await server.ask('PUT', `/${index}`, AWKWARD_INDEX);
  for (const { id, routing, source } of AWKWARD) await server.ask('PUT', `/${index}/_doc/${encodeURIComponent(id)}${routing === undefined ? '' : `?routing=${encodeURIComponent(routing)}`}`, source);
  await server.ask('POST', `/${index}/_refresh`);
}

/** What the server has of each, byte for byte, asked for one by one. */
export function storedIn(server: SearchServerUnderTest, index: string): Promise<readonly string[]> {
  return Promise.all(AWKWARD.map(({ id, routing }) => server.ask('GET', `/${index}/_source/${encodeURIComponent(id)}${routing === undefined ? '' : `?routing=${encodeURIComponent(routing)}`}`)));
}

/** What a client must not change: the definition without what belongs to one incarnation of the index. */
export async function definitionOf(server: SearchServerUnderTest, index: string): Promise<unknown> {
  const text = await server.ask('GET', `/${index}?flat_settings=true`);
  const { aliases, settings } = (JSON.parse(text) as Record<string, { readonly aliases: unknown; readonly settings: Record<string, unknown> }>)[index] ?? { aliases: {}, settings: {} };
  const kept = Object.fromEntries(Object.entries(settings).filter(([name]) => !/^index\.(uuid|creation_date|provided_name|version|resize|routing)/.test(name)));
  return { aliases, settings: kept, mappings: /"mappings":(\{.*\}),"settings"/.exec(text)?.[1] };
}

/** Lines for `_bulk`, numbered. */
export function numbered(from: number, to: number, filler = 40): string {
  return Array.from({ length: to - from }, (_, offset) => `{"index":{"_id":"${from + offset}"}}\n{"n":${from + offset},"text":"${'words '.repeat(filler / 6)}"}\n`).join('');
}
