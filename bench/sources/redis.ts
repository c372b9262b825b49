import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { demand, openRedisLink } from '../../lib/sources/redis/connection.ts';
import type { RedisLink } from '../../lib/sources/redis/link.ts';
import { measure } from '../measure.ts';

/**
 * Holdfast beside `redis-cli --rdb`: the same server, one after another, with data that compresses by half.
 * usage: node bench/sources/redis.ts [MEGABYTES, 200] [TURNS, 1]; needs npm run build, redis-server and redis-cli.
 */
const [megabytes, turns] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 1)];
const PROGRAM = resolve('dist/holdfast.mjs');
if (!existsSync(PROGRAM)) throw new Error('dist/holdfast.mjs is missing: run `npm run build` first.');
const work = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-redis-bench-'));
const path = (name: string) => join(work, name);

interface Served {
  readonly port: number;
  readonly link: RedisLink;
  stop(): Promise<void>;
}

async function serve(name: string, port: number): Promise<Served> {
  mkdirSync(path(name));
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--dir', path(name), '--save', '', '--repl-diskless-sync-delay', '0'], { stdio: 'ignore' });
  const ended = once(child, 'close');
  for (let waited = 0; ; waited++) {
    const link = await openRedisLink({ host: '127.0.0.1', port }, undefined).catch(() => undefined);
    if (link !== undefined) return { port, link, stop: async () => void (link.close(), child.kill('SIGTERM'), await ended) };
    if (waited > 100) throw new Error(`redis-server did not come up on port ${port}`);
    await new Promise((wake) => setTimeout(wake, 50));
  }
}

/** Half of each value repeats, and half does not; `turn` changes a hundredth. */
const FILL = `local n = tonumber(ARGV[1]) local every = tonumber(ARGV[2]) local turn = ARGV[3]
for i = every, n, every do
  local parts = {} for j = 1, 12 do parts[j] = redis.sha1hex(turn .. ':' .. i .. ':' .. j) end
  redis.call('SET', 'key:' .. i, table.concat(parts) .. string.rep('x', 520))
end`;

async function fill(link: RedisLink, every: number, turn: number): Promise<void> {
  const keys = String(megabytes * 1000);
  await demand(link, ['EVAL', FILL, '0', keys, String(every), String(turn)]);
}

const environment = { ...process.env, HOME: path('home'), XDG_STATE_HOME: path('state'), NO_COLOR: '1' };
const bytesOfRdb = () => statSync(path('plain.rdb')).size;

async function step(what: string, command: string): Promise<void> {
  const outcome = await measure(command, environment, path('times'));
  if ('message' in outcome) throw new Error(`${what}: ${outcome.message}`);
  const { wallSeconds, cpuSeconds, peakKiB } = outcome;
  console.log(`${what.padEnd(44)} ${wallSeconds.toFixed(2).padStart(7)} s ${(bytesOfRdb() / 1e6 / wallSeconds).toFixed(0).padStart(6)} MB/s ${cpuSeconds.toFixed(2).padStart(7)} s CPU ${(peakKiB / 1024).toFixed(0).padStart(5)} MiB`);
}

const servers: Served[] = [];
try {
  const server = await serve('server', 17_379);
  servers.push(server);
  const empty = await serve('empty', 17_380);
  servers.push(empty);
  mkdirSync(path('home'));
  writeFileSync(path('holdfast.yaml'), `vaults: { v: { directory: ./vault, key-file: ./key } }\nplans: { cache: { source: { type: redis, host: 127.0.0.1, port: ${server.port} } } }\n`);
  await fill(server.link, 1, 0);
  const holdfast = `cd '${work}' && '${process.execPath}' '${PROGRAM}'`;
  await measure(`${holdfast} init --no-yaml --vault ./vault --key-file ./key`, environment, path('times'));
  for (let turn = 1; turn <= turns; turn++) {
    await step('redis-cli --rdb FILE', `redis-cli -h 127.0.0.1 -p ${server.port} --rdb '${path('plain.rdb')}'`);
    if (turn === 1) console.log(`${(bytesOfRdb() / 1e6).toFixed(0)} MB of RDB, ${megabytes * 1000} keys`);
    await step(turn === 1 ? 'holdfast backup, first' : 'holdfast backup, 1 % changed', `${holdfast} backup cache`);
    await step('holdfast restore, key by key, empty server', `${holdfast} restore latest:cache --to-database redis://127.0.0.1:${empty.port}`);
    const [there, wanted] = [await demand(empty.link, ['DBSIZE']), await demand(server.link, ['DBSIZE'])];
    if (there !== wanted) throw new Error(`${there as number} keys were restored, wanted ${wanted as number}`);
    await demand(empty.link, ['FLUSHALL']);
    await step('holdfast restore, stopped directory', `${holdfast} restore latest:cache --to-database redis-directory:./stopped && rm -r '${path('stopped')}'`);
    await fill(server.link, 100, turn);
  }
} finally {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(work, { recursive: true, force: true });
}
