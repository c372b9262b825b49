import { readdirSync } from 'node:fs';
import { systemClock } from '../../../lib/model/clock.ts';
import { startSearch } from '../../support/servers/search.ts';
import type { SearchProduct, SearchServerUnderTest } from '../../support/servers/search.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { repeating } from '../../support/repeating.ts';
import { startCuttingProxy } from '../../support/servers/cutting-proxy.ts';
import { AWKWARD, definitionOf, numbered, putAwkward, storedIn } from './awkward.ts';
import { backUpFrom, readAll, restore, sourceFor, throughLies } from './desk.ts';
import type { Rewrite } from './desk.ts';

const temporary = temporaryFolder();
const servers: Partial<Record<SearchProduct, SearchServerUnderTest>> = {};
// One start of each for everything: they take longer than all tests.
beforeAll(async () => {
  const started = await Promise.allSettled((['opensearch', 'elasticsearch'] as const).map(async (product) => (servers[product] = await startSearch(product))));
  for (const outcome of started) if (outcome.status === 'rejected') throw outcome.reason;
}, 240_000);
afterAll(async () => {
  await Promise.all(Object.values(servers).map((server) => server.stop()));
});

describe.each<SearchProduct>(['opensearch', 'elasticsearch'])('indices of %s', (product) => {
  let server: SearchServerUnderTest;
  beforeAll(() => void (server = servers[product] as SearchServerUnderTest));
  afterEach(async () => {
    expect(readdirSync(temporary)).toEqual([]);
    const left = await server.json<{ readonly index: string }[]>('GET', '/_cat/indices?format=json&h=index&expand_wildcards=all');
    // Nothing that a restore needed stays, whatever became of it.
    expect(left.filter(({ index }) => index.startsWith('holdfast-'))).toEqual([]);
    for (const { index } of left) if (!index.startsWith('.')) await server.ask('DELETE', `/${index}`);
  });

  it('come back after they were destroyed: every byte of every document, routing, mapping, settings and aliases (S10, R1)', async () => {
    await putAwkward(server, 'shop');
    await server.ask('PUT', '/empty', { mappings: { properties: { at: { type: 'date' } } } });
    const before = [await definitionOf(server, 'shop'), await definitionOf(server, 'empty')];
    const { reader, manifest } = await backUpFrom(sourceFor(server, temporary));
    expect(manifest.evidence?.find(({ entry }) => entry === 'indices/shop/documents.ndjson')).toMatchObject({ facts: [expect.stringContaining('server '), `${AWKWARD.length} documents counted at one point in time, ${AWKWARD.length} read`], tables: [{ schema: 'shop', table: 'shop', rows: AWKWARD.length }] });
    await server.ask('DELETE', '/shop,empty');
    const { reports, missing } = await restore(reader, server);
    expect(missing).toEqual([]);
    expect(reports.flatMap(({ tables }) => tables)).toEqual([{ schema: 'shop', table: 'empty', rows: 0 }, { schema: 'shop', table: 'shop', rows: AWKWARD.length }]);
    expect(await storedIn(server, 'shop')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
    expect([await definitionOf(server, 'shop'), await definitionOf(server, 'empty')]).toEqual(before);
    // Searched as before: through the alias with its filter and routing, analyzed, nested, by distance.
    const hits = async (path: string, query: unknown) => (await server.json<{ hits: { total: { value: number } } }>('POST', `${path}/_search`, { query })).hits.total.value;
    expect(await hits('/of-a', { match_all: {} })).toBe(1);
    expect(await hits('/shop', { match: { text: 'SEVERAL' } })).toBe(1);
    expect(await hits('/shop', { nested: { path: 'items', query: { term: { 'items.price': 1.5 } } } })).toBe(1);
    expect(await hits('/shop', { geo_distance: { distance: '1km', place: { lat: 52.52, lon: 13.405 } } })).toBe(1);
  });

  it('are not overwritten, unless that is asked for; and go to another name without their aliases (R1)', async () => {
    await putAwkward(server, 'shop');
    const { reader } = await backUpFrom(sourceFor(server, temporary, { indices: ['sh*p'] }));
    await server.ask('PUT', '/shop/_doc/new', '{"kind":"later"}');
    await server.ask('POST', '/shop/_refresh');
    expect(await failure(restore(reader, server))).toMatchObject({ code: 'target-exists', message: expect.stringContaining(`The index shop is there already at ${server.connection.endpoint}`) });
    const { reports } = await restore(reader, { ...server, rename: '*-back' });
    expect(reports[0]?.warnings).toEqual(['aliases of shop are not set on shop-back, because who asks them would find documents twice: all, of-a, written']);
    expect(await storedIn(server, 'shop-back')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
    await restore(reader, { ...server, wanted: { mode: 'clean' } });
    await expect(server.ask('GET', '/shop/_doc/new')).rejects.toThrow('404');
    expect(await storedIn(server, 'shop')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
  });

  it('are as they were at one moment, whatever is written, changed and deleted while they are read (S10)', async () => {
    await server.ask('PUT', '/ledger', { settings: { number_of_shards: 2, number_of_replicas: 0, refresh_interval: '50ms' } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 6000));
    const changed = (round: number) => `{"delete":{"_id":"${round * 3}"}}\n{"index":{"_id":"${round * 3 + 1}"}}\n{"n":-1}\n{"index":{"_id":"new-${round}"}}\n{"n":-1}\n`;
    let rounds = 0;
    let writer: ReturnType<typeof repeating> | undefined;
    // The moment is over when there is a stream.
    const kept = await readAll(sourceFor(server, temporary, { isWithTemplates: false }), async () => {
      writer ??= repeating(async () => void (await server.ask('POST', '/ledger/_bulk', Array.from({ length: 20 }, () => changed(rounds++)).join(''))));
      while (rounds < 100) await new Promise((resolve) => setTimeout(resolve, 5));
    });
    await writer?.stop();
    const lines = (kept.get('indices/ledger/documents.ndjson') ?? '').trimEnd().split('\n');
    const documents = Array.from({ length: lines.length / 2 }, (_, index) => `${lines[2 * index]}\n${lines[2 * index + 1]}\n`);
    expect(documents.sort().join('')).toBe(numbered(0, 6000).match(/.*\n.*\n/g)?.sort().join(''));
  });

  it('hold documents of ten megabytes beside small ones, and ask for no page that is too large (S10)', async () => {
    await server.ask('PUT', '/large', { settings: { number_of_replicas: 0 }, mappings: { dynamic: false } });
    await server.ask('POST', '/large/_bulk', numbered(0, 300));
    for (let id = 0; id < 4; id++) await server.ask('PUT', `/large/_doc/large-${id}`, `{"n":${id},"text":"${String(id).repeat(10 << 20)}"}`);
    await server.ask('POST', '/large/_refresh');
    const { reader } = await backUpFrom(sourceFor(server, temporary));
    await restore(reader, { ...server, rename: '*-back' });
    expect((await server.ask('GET', '/large-back/_source/large-3')).length).toBe((10 << 20) + 17);
  });

  const LIES: readonly (readonly [what: string, rewrite: Rewrite, message: RegExp])[] = [
    ['a search that ran out of time', (path, text) => (isPage(path) ? text.replace('"timed_out":false', '"timed_out":true') : undefined), /ran out of time \(timed_out\)/],
    ['a shard that failed', (path, text) => (isPage(path) ? text.replace(/"failed":0/, '"failed":1,"failures":[{"shard":1,"reason":{"reason":"node one left"}}]') : undefined), /Not every shard answered .*node one left/],
    ['a shard that was not asked', (path, text) => (isPage(path) ? text.replace(/"successful":\d+/, '"successful":0') : undefined), /Not every shard answered/],
    ['a page without one of its documents', (path, text, times) => (isPage(path) && times === 3 ? text.replace(/\{"_index":"ledger".*?"sort":\[[^\]]*\]\},/, '') : undefined), /2999 documents of index ledger .* were read, and the cluster counted 3000/],
    ['an end that comes too early', (path, text, times) => (isPage(path) && times > 2 ? text.replace(/"hits":\[.*/s, '"hits":[]}}') : undefined), /documents of index ledger .* were read, and the cluster counted 3000/],
    ['a count that is only a bound', (path, text) => (isPage(path) ? text.replace('"relation":"eq"', '"relation":"gte"') : undefined), /did not count its documents exactly/],
    ['a page that is cut and yet an answer', (path, text, times) => (isPage(path) && times === 2 ? text.slice(0, text.length >> 1) : undefined), /no whole JSON/],
    ['the page of a proxy', (path, _text, times) => (isPage(path) && times === 2 ? '<html>Please log in</html>' : undefined), /no whole JSON/],
    ['an index that is not told of', (path, text) => (path.startsWith('/_resolve') ? text.replace(/\{"name":"ledger"[^}]*\},?/, '') : undefined), /has ledger, which this user may not see/],
    ['documents without their source', (path, text) => (isPage(path) ? text.replaceAll('"_source":', '"_other":') : undefined), /keeps no source of document/],
  ];
  const isPage = (path: string) => path.startsWith('/_search?');

  it.each(LIES)('%s gives no proof, but the reason (S10)', async (_what, rewrite, message) => {
    await server.ask('PUT', '/other', { settings: { number_of_replicas: 0 } });
    await server.ask('PUT', '/ledger', { settings: { number_of_shards: 2, number_of_replicas: 0 } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 3000));
    const error = await throughLies(server.connection, rewrite, (endpoint) => failure(readAll(sourceFor(server, temporary, { connection: { endpoint } }))));
    expect(error.message).toMatch(message);
    expect(error.nextStep).toEqual(expect.any(String));
  });

  it('a point in time that the cluster let go fails the run, in its own words (S10)', async () => {
    await server.ask('PUT', '/ledger', { settings: { number_of_replicas: 0 } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 3000));
    let pit = '';
    const listen: Rewrite = (path, text) => void (/_pit\?|point_in_time\?/.test(path) && (pit = /"(?:pit_)?id":"([^"]+)"/.exec(text)?.[1] ?? ''));
    const error = await throughLies(server.connection, listen, (endpoint) => failure(readAll(sourceFor(server, temporary, { isWithTemplates: false, connection: { endpoint } }), async (name) => {
      if (!name.endsWith('documents.ndjson')) return;
      await server.ask('DELETE', product === 'opensearch' ? '/_search/point_in_time' : '/_pit', product === 'opensearch' ? { pit_id: [pit] } : { id: pit });
    })));
    expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/has let the point in time go .* HTTP 404\)\. It said: .*search_context_missing_exception/) });
  });

  it('a connection that breaks at any of thirty places gives all documents, where asking again helped, or no proof and the reason (S10)', async () => {
    await server.ask('PUT', '/ledger', { settings: { number_of_replicas: 0 } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 2000));
    const outcomes: unknown[] = [];
    for (let place = 0; place < 30; place++) {
      const proxy = await startCuttingProxy(server.port, 40 + place * 5000);
      const source = sourceFor(server, temporary, { connection: { endpoint: `http://127.0.0.1:${proxy.port}` }, clock: IMPATIENT, isWithTemplates: false });
      outcomes.push(await readAll(source).then((kept) => kept.get('indices/ledger/documents.ndjson'), (error: unknown) => error));
      await proxy.stop();
      expect(proxy.cuts()).toBeGreaterThan(0);
    }
    const failures = outcomes.filter((outcome) => typeof outcome !== 'string');
    for (const outcome of outcomes) if (typeof outcome === 'string') expect(outcome === numbered(0, 2000)).toBe(true);
    for (const error of failures) expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/cannot be reached or broke off: /), nextStep: expect.stringContaining('Nothing of this run is kept') });
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.length).toBeLessThan(30);
  });
});

/** Repeats what failed at once. */
const IMPATIENT = { ...systemClock, sleep: () => Promise.resolve() };
