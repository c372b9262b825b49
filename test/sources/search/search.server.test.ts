import { readdirSync } from 'node:fs';
import { startSearch } from '../../support/servers/search.ts';
import type { SearchProduct, SearchServerUnderTest } from '../../support/servers/search.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { AWKWARD, definitionOf, putAwkward, storedIn } from './awkward.ts';
import { backUpFrom, restore, sourceFor } from './desk.ts';

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
});
