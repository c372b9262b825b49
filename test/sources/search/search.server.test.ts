import { readdirSync, writeFileSync } from 'node:fs';
import { systemClock } from '../../../lib/model/clock.ts';
import { Desk, REAL_WORKERS } from '../../cli/run-in-process.ts';
import { sourceContract } from '../../contract/source.ts';
import { startSearch } from '../../support/servers/search.ts';
import type { SearchProduct, SearchServerUnderTest } from '../../support/servers/search.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { repeating } from '../../support/repeating.ts';
import { startCuttingProxy } from '../../support/servers/cutting-proxy.ts';
import { AWKWARD, definitionOf, numbered, putAwkward, storedIn } from './awkward.ts';
import { backUpFrom, readAll, restore, sourceFor, startLyingProxy, throughLies } from './desk.ts';
import type { Rewrite } from './desk.ts';
import { LIES } from './lies.ts';

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

/** Repeats what failed at once. */
const IMPATIENT = { ...systemClock, sleep: () => Promise.resolve() };

/** `BROKEN_CONNECTIONS=30` for all that were tried once. */
const PLACES = Number(process.env['BROKEN_CONNECTIONS'] ?? 5);

/** Its server, empty again after each test. */
function clean(product: SearchProduct): SearchServerUnderTest {
  afterEach(async () => {
    expect(readdirSync(temporary)).toEqual([]);
    const left = await server(product).json<{ readonly index: string }[]>('GET', '/_cat/indices?format=json&h=index&expand_wildcards=all');
    // Nothing that a restore needed stays, whatever became of it.
    expect(left.filter(({ index }) => index.startsWith('holdfast-'))).toEqual([]);
    for (const { index } of left) if (!index.startsWith('.')) await server(product).ask('DELETE', `/${index}`);
  });
  // Tests are written down before the servers are there.
  return new Proxy({} as SearchServerUnderTest, { get: (_, name) => Reflect.get(server(product), name) as unknown });
}

const server = (product: SearchProduct) => servers[product] as SearchServerUnderTest;

describe.each<SearchProduct>(['opensearch', 'elasticsearch'])('indices of %s', (product) => {
  const server = clean(product);

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

  it('a point in time that the cluster let go fails the run, in its own words (S10)', async () => {
    await server.ask('PUT', '/ledger', { settings: { number_of_replicas: 0 } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 1000));
    let pit = '';
    const listen: Rewrite = (path, text) => void (/_pit\?|point_in_time\?/.test(path) && (pit = /"(?:pit_)?id":"([^"]+)"/.exec(text)?.[1] ?? ''));
    const error = await throughLies(server.connection, listen, (endpoint) => failure(readAll(sourceFor(server, temporary, { isWithTemplates: false, connection: { endpoint } }), async (name) => {
      if (!name.endsWith('documents.ndjson')) return;
      await server.ask('DELETE', product === 'opensearch' ? '/_search/point_in_time' : '/_pit', product === 'opensearch' ? { pit_id: [pit] } : { id: pit });
    })));
    expect(error).toMatchObject({ code: 'source-failed', retryable: true, message: expect.stringMatching(/has let the point in time go .* HTTP 404\)\. It said: .*search_context_missing_exception/) });
  });

  it('an index of which a shard is missing is no backup and fails the check, and its half is not taken for the whole (S10)', async () => {
    // The only node takes one shard and no second.
    await server.ask('PUT', '/half?wait_for_active_shards=0', { settings: { number_of_shards: 2, number_of_replicas: 0, 'index.routing.allocation.total_shards_per_node': 1 } });
    await server.ask('GET', '/_cluster/health?wait_for_events=languid&wait_for_no_initializing_shards=true&timeout=10s');
    await expect(server.ask('POST', '/half/_bulk?refresh=true&timeout=100ms', numbered(0, 20))).rejects.toThrow('primary shard is not active');
    const source = sourceFor(server, temporary, { indices: ['half'], isWithTemplates: false, clock: IMPATIENT });
    for (const work of [() => source.check(), () => readAll(source)]) expect(await failure(work())).toMatchObject({ code: 'unavailable', retryable: true, message: expect.stringMatching(/lacks a shard of what this reads \(POST \/half\/(_pit|_search\/point_in_time), HTTP 503\)/), nextStep: expect.stringMatching(/^Nothing of this run is kept\. .*_cat\/shards/) });
  });

});

describe('what a cluster may do to a backup', () => {
  const server = clean('opensearch');

  it('indices are as they were at one moment, whatever is written, changed and deleted while they are read (S10)', async () => {
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

  it.each(LIES)('%s gives no proof, but the reason (S10)', async (_what, rewrite, message) => {
    await server.ask('PUT', '/other', { settings: { number_of_replicas: 0 } });
    await server.ask('PUT', '/ledger', { settings: { number_of_shards: 2, number_of_replicas: 0 } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 1000));
    const error = await throughLies(server.connection, rewrite, (endpoint) => failure(readAll(sourceFor(server, temporary, { connection: { endpoint } }))));
    expect(error.message).toMatch(message);
    expect(error.nextStep).toEqual(expect.any(String));
  });

  it('hold documents of ten megabytes beside small ones, and ask for no page that is too large (S10)', async () => {
    await server.ask('PUT', '/large', { settings: { number_of_replicas: 0 }, mappings: { dynamic: false } });
    await server.ask('POST', '/large/_bulk', numbered(0, 300));
    for (let id = 0; id < 2; id++) await server.ask('PUT', `/large/_doc/large-${id}`, `{"n":${id},"text":"${String(id).repeat(10 << 20)}"}`);
    await server.ask('POST', '/large/_refresh');
    const { reader } = await backUpFrom(sourceFor(server, temporary));
    await restore(reader, { connection: server.connection, rename: '*-back' });
    expect((await server.ask('GET', '/large-back/_source/large-1')).length).toBe((10 << 20) + 17);
  });

  it(`a connection that breaks at any of ${PLACES} places gives all documents, where asking again helped, or no proof and the reason (S10)`, async () => {
    await server.ask('PUT', '/ledger', { settings: { number_of_replicas: 0 } });
    await server.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 2000));
    const outcomes: unknown[] = [];
    for (let place = 0; place < PLACES; place++) {
      const proxy = await startCuttingProxy(server.port, 40 + Math.floor((place * 150_000) / PLACES));
      const source = sourceFor(server, temporary, { connection: { endpoint: `http://127.0.0.1:${proxy.port}` }, clock: IMPATIENT, isWithTemplates: false });
      outcomes.push(await readAll(source).then((kept) => kept.get('indices/ledger/documents.ndjson'), (error: unknown) => error));
      await proxy.stop();
      expect(proxy.cuts()).toBeGreaterThan(0);
    }
    const failures = outcomes.filter((outcome) => typeof outcome !== 'string');
    for (const outcome of outcomes) if (typeof outcome === 'string') expect(outcome === numbered(0, 2000)).toBe(true);
    for (const error of failures) expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/cannot be reached or broke off: /), nextStep: expect.stringContaining('Nothing of this run is kept') });
    expect(failures.length).toBeGreaterThan(0);
    expect(failures.length).toBeLessThan(PLACES);
  });
});

describe('what a user may not see', () => {
  const server = clean('elasticsearch');

  it('is never left out in silence: an index that is not shown, no right to read, a wrong password, each in words without the secret (S10)', async () => {
    await server.ask('PUT', '/few-orders', { settings: { number_of_replicas: 0 } });
    await server.ask('PUT', '/others', { settings: { number_of_replicas: 0 } });
    const few = (changes: Parameters<typeof sourceFor>[2] = {}) => sourceFor({ product: server.product, connection: server.as('few') }, temporary, { isWithTemplates: false, ...changes });
    expect(await failure(few().check())).toMatchObject({ code: 'permission', message: expect.stringMatching(/has others, which this user may not see\. A backup without would look whole/), data: { indices: ['others'] } });
    await expect(few({ indices: ['few-*'] }).check()).resolves.toBeUndefined();
    await expect(few({ exclude: ['oth*'] }).check()).resolves.toBeUndefined();
    expect(await failure(few({ indices: ['few-*'], isWithTemplates: true }).check())).toMatchObject({ code: 'permission', message: expect.stringMatching(/does not allow this \(GET \/_[a-z_/]+, HTTP 403\)\. It said: security_exception: .*unauthorized for user \[few\]/) });
    const wrong = await failure(sourceFor(server, temporary, { connection: { password: 'canary-of-a-password' } }).check());
    expect(wrong).toMatchObject({ code: 'permission', message: expect.stringMatching(/does not know this user \(GET \/, HTTP 401\)\. It said: security_exception: unable to authenticate user/) });
    expect(JSON.stringify([wrong.message, wrong.nextStep, wrong.data])).not.toContain('canary');
  });

  it('nor more than is written down is needed, for a backup and for a restore (S10, R1)', async () => {
    await putAwkward(server, 'shop');
    await server.ask('PUT', '/_ingest/pipeline/stamp', { processors: [] });
    const { reader, manifest } = await backUpFrom(sourceFor({ product: server.product, connection: server.as('backup') }, temporary));
    expect(manifest.warnings).toEqual([]);
    await server.ask('DELETE', '/shop');
    await server.ask('DELETE', '/_ingest/pipeline/stamp');
    const { missing } = await restore(reader, { connection: server.as('restore') });
    expect(missing).toEqual([]);
    await restore(reader, { connection: server.as('restore'), wanted: { mode: 'clean', tables: ['shop'] } });
    expect(await storedIn(server, 'shop')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
    await server.ask('DELETE', '/_ingest/pipeline/stamp');
  });

  it('hidden and system indices are named as left out, closed ones are warned of, and a name that is closed or missing is refused (S10)', async () => {
    for (const name of ['open', 'shut', '.dotted']) await server.ask('PUT', `/${name}`, { settings: { number_of_replicas: 0, ...(name.startsWith('.') && { hidden: true }) } });
    await server.ask('POST', '/shut/_close');
    const { manifest } = await backUpFrom(sourceFor(server, temporary));
    expect(manifest.evidence?.find(({ entry }) => entry === 'cluster.json')?.facts).toEqual([expect.stringContaining('server '), expect.stringMatching(/^left out, because hidden or of the system: .*\.dotted/)]);
    expect(manifest.warnings.map(({ message }) => message)).toEqual(['closed indices cannot be read and are not in the backup: shut']);
    const named = await readAll(sourceFor(server, temporary, { indices: ['.dotted'], isWithTemplates: false }));
    expect([...named.keys()]).toEqual(['indices/.dotted/definition.json', 'indices/.dotted/documents.ndjson']);
    expect(await failure(sourceFor(server, temporary, { indices: ['shut'] }).check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('The index shut at') });
    expect(await failure(sourceFor(server, temporary, { indices: ['gone'] }).check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('has no index gone') });
    expect(await failure(sourceFor(server, temporary, { indices: ['nothing-*'] }).check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('has no open index that matches nothing-*') });
    await server.ask('DELETE', '/.dotted');
  });
});

describe('what a restore brings', () => {
  const server = clean('elasticsearch');
  const other = clean('opensearch');

  it('indices are not overwritten, unless that is asked for; and go to another name without their aliases (R1)', async () => {
    await putAwkward(server, 'shop');
    const { reader } = await backUpFrom(sourceFor(server, temporary, { indices: ['sh*p'] }));
    await server.ask('PUT', '/shop/_doc/new', '{"kind":"later"}');
    await server.ask('POST', '/shop/_refresh');
    expect(await failure(restore(reader, server))).toMatchObject({ code: 'target-exists', message: expect.stringContaining(`The index shop is there already at ${server.connection.endpoint}`) });
    const { reports } = await restore(reader, { connection: server.connection, rename: '*-back' });
    expect(reports[0]?.warnings).toEqual(['aliases of shop are not set on shop-back, because who asks them would find documents twice: all, of-a, written']);
    expect(await storedIn(server, 'shop-back')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
    await restore(reader, { connection: server.connection, wanted: { mode: 'clean' } });
    await expect(server.ask('GET', '/shop/_doc/new')).rejects.toThrow('404');
    expect(await storedIn(server, 'shop')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
  });

  it('templates and pipelines come back where they are missing, and none of the cluster changes a restored index (S10, R1)', async () => {
    const named = ['/_component_template/base', '/_index_template/everything', '/_ingest/pipeline/stamp'];
    await server.ask('PUT', '/_component_template/base', { template: { settings: { number_of_shards: 2 } } });
    await server.ask('PUT', '/_ingest/pipeline/stamp', { description: 'nothing yet', processors: [] });
    await server.ask('PUT', '/shop', { settings: { number_of_replicas: 0, default_pipeline: 'stamp', 'blocks.write': false }, mappings: { dynamic: 'strict', properties: { n: { type: 'long' } } } });
    await server.ask('POST', '/shop/_bulk?refresh=true', '{"index":{"_id":"1"}}\n{"n":1}\n');
    await server.ask('PUT', '/_index_template/everything', { index_patterns: ['*'], composed_of: ['base'], template: { settings: { 'index.max_result_window': 77 }, mappings: { properties: { of_template: { type: 'keyword' } } }, aliases: { of_template: {} } } });
    const before = await definitionOf(server, 'shop');
    const { reader } = await backUpFrom(sourceFor(server, temporary));
    await server.ask('DELETE', '/shop');
    await restore(reader, { connection: server.connection, wanted: { tables: ['shop'] } });
    expect(await definitionOf(server, 'shop')).toEqual(before);
    // Now without them.
    await server.ask('DELETE', '/shop');
    for (const path of [...named].reverse().sort((left) => (left.includes('index_template') ? -1 : 1))) await server.ask('DELETE', path);
    const { reports, missing } = await restore(reader, server);
    expect([missing, reports.map(({ entry }) => entry)]).toEqual([[], ['cluster.json', 'indices/shop/documents.ndjson']]);
    for (const path of named) expect(await server.ask('GET', path)).toMatch(/base|nothing yet/);
    for (const path of [...named].reverse().sort((left) => (left.includes('index_template') ? -1 : 1))) if (path.includes('template')) await server.ask('DELETE', path);
  });

  it('documents that are refused are named, and what was there stays as it was (R1)', async () => {
    await server.ask('PUT', '/shop', { settings: { number_of_replicas: 0 }, mappings: { dynamic: false } });
    await server.ask('POST', '/shop/_bulk?refresh=true', numbered(0, 5));
    await server.ask('PUT', '/shop/_mapping', { dynamic: 'strict' });
    const { reader } = await backUpFrom(sourceFor(server, temporary));
    await server.ask('PUT', '/shop/_mapping', { dynamic: false });
    await server.ask('PUT', '/shop/_doc/later', '{"n":-1}');
    const error = await failure(restore(reader, { connection: server.connection, wanted: { mode: 'clean' } }));
    expect(error).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/refused 5 of 5 documents: document "0" \(400\) strict_dynamic_mapping_exception: .*; and 2 more/) });
    expect(await server.ask('GET', '/shop/_source/later')).toBe('{"n":-1}');
  });

  it('goes from one product into the other and back, byte for byte (S10, R1)', async () => {
    await putAwkward(server, 'shop');
    const { reader } = await backUpFrom(sourceFor(server, temporary));
    await restore(reader, { connection: other.connection, wanted: { tables: ['shop'] } });
    expect(await storedIn(other, 'shop')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
    const { reader: second } = await backUpFrom(sourceFor(other, temporary));
    await restore(second, { connection: server.connection, rename: 'there-and-back', wanted: { tables: ['shop'] } });
    expect(await storedIn(server, 'there-and-back')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
  });
});

describe('holdfast', () => {
  const server = clean('elasticsearch');

  it('backs up a plan, shows what a restore would do, and restores one index under another name, and never shows the password (S10, R1)', async () => {
    await putAwkward(server, 'shop');
    const { endpoint, user = '', password = '' } = server.connection;
    const desk = new Desk({ SEARCH_PASSWORD: password, HOLDFAST_DATABASE_PASSWORD: password }, REAL_WORKERS);
    writeFileSync(desk.path('holdfast.yaml'), `
vaults: { main: { directory: vault, key-file: key } }
plans:
  search:
    source: { type: elasticsearch, endpoint: "${endpoint}", user: ${user}, password: "\${env:SEARCH_PASSWORD}", indices: ["sh*"] }
`);
    await desk.do('init');
    const said = [await desk.do('backup', 'search'), await desk.do('show', 'latest:search'), await desk.do('ls', 'latest:search')];
    const to = `${endpoint.replace('//', `//${user}@`)}/back`;
    said.push(await desk.do('restore', 'latest:search', '--table', 'shop', '--to-database', to, '--dry-run'));
    expect(said.at(-1)).toMatch(/Nothing was done\. indices\/shop\/documents\.ndjson .* would go into the new index back at http/);
    const restored = await desk.run('restore', 'latest:search', '--table', 'shop', '--to-database', to);
    // The aliases stay where they are, and that is a warning.
    expect(restored).toMatchObject({ code: 3, stdout: expect.stringMatching(new RegExp(`Restored .* into index back at .*: 1 table, ${AWKWARD.length} rows`)) });
    const refused = await desk.run('restore', 'latest:search', '--table', 'shop', '--to-database', to);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('The index back is there already') });
    expect(await storedIn(server, 'back')).toEqual(AWKWARD.map(({ source, back }) => back ?? source));
    for (const text of [...said, restored.stdout, restored.stderr, refused.stderr]) expect(text).not.toContain(password);
  });
});

const stopping: { endpoint?: string } = {};
sourceContract('elasticsearch', () => ({
  temporaryFolder: temporary,
  secrets: [server('elasticsearch').connection.password ?? ''],
  state: () => server('elasticsearch').ask('GET', '/_cat/indices?h=index,uuid,docs.count&expand_wildcards=all'),
  good: async () => {
    await server('elasticsearch').ask('PUT', '/_bulk?refresh=true', numbered(0, 3000).replaceAll('{"_id"', '{"_index":"contract","_id"'));
    return sourceFor(server('elasticsearch'), temporary, { isWithTemplates: false });
  },
  failing: () => sourceFor(server('elasticsearch'), temporary, { isWithTemplates: false, connection: { endpoint: stopping.endpoint ?? '' } }),
  refused: () => sourceFor(server('elasticsearch'), temporary, { indices: ['none'] }),
}));
let proxy: Awaited<ReturnType<typeof startLyingProxy>> | undefined;
beforeAll(async () => {
  proxy = await startLyingProxy(server('elasticsearch').connection, (path, text) => (path.startsWith('/_search?') && text.includes('"hits":[{') ? text.replace('"failed":0', '"failed":1') : undefined));
  stopping.endpoint = proxy.endpoint;
});
afterAll(() => proxy?.stop());

it('a server that is stopped while it is read leaves no backup and the reason (S10)', async () => {
  const gone = server('opensearch');
  await gone.ask('PUT', '/ledger', { settings: { number_of_replicas: 0 } });
  await gone.ask('POST', '/ledger/_bulk?refresh=true', numbered(0, 500));
  const error = await failure(readAll(sourceFor(gone, temporary, { isWithTemplates: false, clock: IMPATIENT }), (name) => (name.endsWith('documents.ndjson') ? gone.stop() : undefined)));
  expect(error).toMatchObject({ code: 'source-failed', message: expect.stringContaining('cannot be reached or broke off') });
});
