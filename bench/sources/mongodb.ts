/**
 * MongoDB: `holdfast backup` and `holdfast restore` of four collections against the driver alone, which reads the same raw
 * documents into files. `node bench/sources/mongodb.ts [MEGABYTES] [DOCUMENT_BYTES]`, by default 64 MB of 1000 bytes.
 * Wants `npm run build` and `scripts/servers.sh`; starts a stand-in of its own, which keeps everything in memory.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';

const [megabytes, documentBytes] = [Number(process.argv[2] ?? 64), Number(process.argv[3] ?? 1000)];
const documents = Math.floor((megabytes * 1e6) / documentBytes);
const COLLECTIONS = ['a', 'b', 'c', 'd'];
const PORT = 24_701;
const uri = `mongodb://127.0.0.1:${PORT}/`;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-mongodb-'));

try {
  if (process.argv[2] === '--driver') await readByDriver(process.argv[3] ?? '');
  else await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const home = resolve('.servers/mongo-java');
  const server = spawn('java', ['-Xmx4g', '-cp', `${home}:${home}/lib/*`, 'StandIn', String(PORT)], { stdio: 'ignore' });
  try {
    await fill();
    writeFileSync(join(folder, 'holdfast.yaml'), `vaults: { main: { directory: vault, key-file: key } }\nplans:\n  bench: { source: { type: mongodb, uri: "${uri}", databases: [bench] } }\n`);
    measured([resolve('dist/holdfast.mjs'), 'init']);
    tell('the driver alone, raw documents into files', measured(['--no-warnings', import.meta.filename, '--driver', folder]));
    tell('holdfast backup', measured([resolve('dist/holdfast.mjs'), 'backup', 'bench']));
    tell('holdfast backup, again', measured([resolve('dist/holdfast.mjs'), 'backup', 'bench']));
    tell('holdfast restore', measured([resolve('dist/holdfast.mjs'), 'restore', 'latest:bench', '--to-database', `${uri}again`]));
  } finally {
    server.kill('SIGKILL');
  }
}

/** Values that compress about as much as JSON does. */
async function fill(): Promise<void> {
  const client = new MongoClient(uri, { serverSelectionTimeoutMS: 30_000 });
  while (!(await client.connect().then(() => true, () => false))) await sleep(100);
  for (let made = 0; made < documents; ) {
    const count = Math.min(documents - made, Math.ceil(1_000_000 / documentBytes));
    await client.db('bench').collection(COLLECTIONS[Math.floor(made / 1000) % COLLECTIONS.length] as string).insertMany(Array.from({ length: count }, (_, index) => documentOf(made + index)));
    made += count;
  }
  await client.close();
}

function documentOf(number: number): { readonly number: number; readonly text: string } {
  let text = '';
  for (let seed = number; text.length < documentBytes - 60; seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) text += `field-${seed % 1000}:${seed.toString(36)};`;
  return { number, text: text.slice(0, documentBytes - 60) };
}

async function readByDriver(into: string): Promise<void> {
  const client = await new MongoClient(uri).connect();
  await Promise.all(COLLECTIONS.map((name) => pipeline(client.db('bench').collection(name).find({}, { raw: true, batchSize: 4000 }).stream(), createWriteStream(join(into, `${name}.bson`)))));
  await client.close();
}

/** Peak: what /proc says of the process at its end, by a module that it loads first. */
function measured(args: readonly string[]): { readonly seconds: number; readonly peakMiB: number } {
  const peak = join(folder, 'peak');
  const probe = `data:text/javascript,${encodeURIComponent(`import{readFileSync,writeFileSync}from'node:fs';process.on('exit',()=>writeFileSync(${JSON.stringify(peak)},/VmHWM:\\s+(\\d+)/.exec(readFileSync('/proc/self/status','utf8'))[1]));`)}`;
  const begin = performance.now();
  const ran = spawnSync(process.execPath, ['--import', probe, ...args], { cwd: folder, encoding: 'utf8', env: { ...process.env, HOME: folder, XDG_STATE_HOME: join(folder, 'state') } });
  if (ran.status !== 0) throw new Error(`${args.join(' ')} ended with ${ran.status}: ${ran.stderr}`);
  return { seconds: (performance.now() - begin) / 1000, peakMiB: Math.round(Number(readFileSync(peak, 'utf8')) / 1024) };
}

function tell(what: string, { seconds, peakMiB }: { readonly seconds: number; readonly peakMiB: number }): void {
  console.log(`${what}: ${seconds.toFixed(1)} s, ${(megabytes / seconds).toFixed(0)} MB/s, ${Math.round(documents / seconds)} documents/s, peak ${peakMiB} MiB`);
}
