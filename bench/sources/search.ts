import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { measure } from '../measure.ts';

/**
 * Holdfast beside a plain client, which scrolls through an index with 1000 documents a page and writes what it has parsed into a file: the same
 * cluster without users, one after another.
 * usage: node bench/sources/search.ts http://127.0.0.1:9200 [MEGABYTES, 200] [TURNS, 1]; needs npm run build. Indices `bench` and `bench-back` are made and deleted.
 */
const [endpoint = '', megabytes, turns] = [process.argv[2], Number(process.argv[3] ?? 200), Number(process.argv[4] ?? 1)];
const PROGRAM = resolve('dist/holdfast.mjs');
if (!/^https?:/.test(endpoint)) throw new Error('The first argument is no address of a cluster.');
if (!existsSync(PROGRAM)) throw new Error('dist/holdfast.mjs is missing: run `npm run build` first.');
const work = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-search-bench-'));
const path = (name: string) => join(work, name);
const DOCUMENTS = megabytes * 1000;

async function ask<T>(method: string, place: string, body?: string): Promise<T> {
  const response = await fetch(`${endpoint}${place}`, { method, headers: { 'content-type': place.includes('_bulk') ? 'application/x-ndjson' : 'application/json' }, ...(body !== undefined && { body }) });
  if (!response.ok) throw new Error(`${method} ${place}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** A thousand bytes, half of which repeats. */
function document(id: number, turn: number): string {
  let [state, noise] = [(id * 2654435761 + turn) >>> 0, ''];
  while (noise.length < 480) noise += ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0)).toString(36);
  return `{"index":{"_id":"${id}"}}\n{"id":${id},"price":${(id % 10_000) / 100},"kind":"k${id % 10}","noise":"${noise.slice(0, 480)}","text":"${'the same words again '.repeat(22)}"}\n`;
}

async function fill(every: number, turn: number): Promise<void> {
  for (let from = every; from <= DOCUMENTS; from += every * 4000) {
    const ids = Array.from({ length: 4000 }, (_, index) => from + index * every).filter((id) => id <= DOCUMENTS);
    await ask('POST', '/bench/_bulk', ids.map((id) => document(id, turn)).join(''));
  }
  await ask('POST', '/bench/_refresh');
}

const CLIENT = `
const fs = require('node:fs'), out = fs.openSync(process.argv[1], 'w');
const ask = async (path, body) => (await fetch('${endpoint}' + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
(async () => {
  let page = await ask('/bench/_search?scroll=1m', { size: 1000, sort: ['_doc'] });
  while (page.hits.hits.length > 0) {
    fs.writeSync(out, page.hits.hits.map(({ _id, _source }) => JSON.stringify({ index: { _id } }) + '\\n' + JSON.stringify(_source) + '\\n').join(''));
    page = await ask('/_search/scroll', { scroll: '1m', scroll_id: page._scroll_id });
  }
})();`;

const environment = { ...process.env, HOME: path('home'), XDG_STATE_HOME: path('state'), NO_COLOR: '1' };

async function step(what: string, command: string): Promise<void> {
  const outcome = await measure(command, environment, path('times'));
  if ('message' in outcome) throw new Error(`${what}: ${outcome.message}`);
  const { wallSeconds, cpuSeconds, peakKiB } = outcome;
  const bytes = statSync(path('plain.ndjson')).size;
  console.log(`${what.padEnd(44)} ${wallSeconds.toFixed(2).padStart(7)} s ${(bytes / 1e6 / wallSeconds).toFixed(0).padStart(6)} MB/s ${cpuSeconds.toFixed(2).padStart(7)} s CPU ${(peakKiB / 1024).toFixed(0).padStart(5)} MiB`);
}

try {
  mkdirSync(path('home'));
  writeFileSync(path('client.cjs'), CLIENT.replace('process.argv[1]', 'process.argv[2]'));
  writeFileSync(path('holdfast.yaml'), `vaults: { v: { directory: ./vault, key-file: ./key } }\nplans: { search: { source: { type: opensearch, endpoint: "${endpoint}", indices: [bench], templates: false } } }\n`);
  await ask('PUT', '/bench', '{"settings":{"number_of_shards":2,"number_of_replicas":0},"mappings":{"dynamic":false,"properties":{"kind":{"type":"keyword"}}}}');
  await fill(1, 0);
  const holdfast = `cd '${work}' && '${process.execPath}' '${PROGRAM}'`;
  await measure(`${holdfast} init --no-yaml --vault ./vault --key-file ./key`, environment, path('times'));
  for (let turn = 1; turn <= turns; turn++) {
    await step('plain client into a file', `'${process.execPath}' '${path('client.cjs')}' '${path('plain.ndjson')}'`);
    if (turn === 1) console.log(`${(statSync(path('plain.ndjson')).size / 1e6).toFixed(0)} MB of lines, ${DOCUMENTS} documents`);
    await step(turn === 1 ? 'holdfast backup, first' : 'holdfast backup, 1 % changed', `${holdfast} backup search`);
    await step('holdfast restore, another name', `${holdfast} restore latest:search --to-database ${endpoint}/bench-back`);
    const { count } = await ask<{ readonly count: number }>('GET', '/bench-back/_count');
    if (count !== DOCUMENTS) throw new Error(`${count} documents were restored, wanted ${DOCUMENTS}`);
    await ask('DELETE', '/bench-back');
    await fill(100, turn);
  }
} finally {
  await ask('DELETE', '/bench').catch((error: unknown) => console.error(String(error)));
  rmSync(work, { recursive: true, force: true });
}
