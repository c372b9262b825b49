import type { Rewrite } from './desk.ts';

const isPage = (path: string) => path.startsWith('/_search?');

/** What a cluster, or somebody between, may answer; and what must be said of it. */
export const LIES: readonly (readonly [what: string, rewrite: Rewrite, message: RegExp])[] = [
  ['a search that ran out of time', (path, text) => (isPage(path) ? text.replace('"timed_out":false', '"timed_out":true') : undefined), /ran out of time \(timed_out\)/],
  ['a shard that failed', (path, text) => (isPage(path) ? text.replace(/"failed":0/, '"failed":1,"failures":[{"shard":1,"reason":{"reason":"node one left"}}]') : undefined), /Not every shard answered .*node one left/],
  ['a point in time of which a shard could not be opened', (path, text) => (path.includes('point_in_time?') ? text.replace(/"successful":\d+,"skipped":0,"failed":0/, '"successful":1,"skipped":0,"failed":1') : undefined), /Not every shard answered .*point_in_time\): .*"failed":1/],
  ['a point in time that says nothing of its shards', (path, text) => (path.includes('point_in_time?') ? text.replace('"_shards"', '"_other"') : undefined), /Not every shard answered .*point_in_time\)/],
  ['a point in time that holds fewer shards than the index', (path, text) => (isPage(path) ? text.replace(/"total":\d+,"successful":\d+/, '"total":1,"successful":1') : undefined), /Not every shard answered .*: 1 shards were asked, and the index has 2/],
  ['a shard that was not asked', (path, text) => (isPage(path) ? text.replace(/"successful":\d+/, '"successful":0') : undefined), /Not every shard answered/],
  ['a page without one of its documents', (path, text, times) => (isPage(path) && times === 3 ? text.replace(/\{"_index":"ledger".*?"sort":\[[^\]]*\]\},/, '') : undefined), /999 documents of index ledger .* were read, and the cluster counted 1000/],
  ['an end that comes too early', (path, text, times) => (isPage(path) && times > 2 ? text.replace(/"hits":\[.*/s, '"hits":[]}}') : undefined), /documents of index ledger .* were read, and the cluster counted 1000/],
  ['a count that is only a bound', (path, text) => (isPage(path) ? text.replace('"relation":"eq"', '"relation":"gte"') : undefined), /did not count its documents exactly/],
  ['a page that is cut and yet an answer', (path, text, times) => (isPage(path) && times === 2 ? text.slice(0, text.length >> 1) : undefined), /no whole JSON/],
  ['the page of a proxy', (path, _text, times) => (isPage(path) && times === 2 ? '<html>Please log in</html>' : undefined), /no whole JSON/],
  ['an index that is not told of', (path, text) => (path.startsWith('/_resolve') ? text.replace(/\{"name":"ledger"[^}]*\},?/, '') : undefined), /has ledger, which this user may not see/],
  ['documents without their source', (path, text) => (isPage(path) ? text.replaceAll('"_source":', '"_other":') : undefined), /keeps no source of document/],
];
