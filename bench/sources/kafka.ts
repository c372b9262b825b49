/**
 * Kafka: `holdfast backup` and `holdfast restore` of one topic against the vendor's own client, which reads the same topic and
 * throws it away. Records and bytes of values: `node bench/sources/kafka.ts [MEGABYTES] [VALUE_BYTES]`, by default 64 MB of 1000 bytes.
 * Wants `npm run build` and `scripts/servers.sh`; starts a broker of its own below the system's temporary folder.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Admin, Producer } from '@platformatic/kafka';

const [megabytes, valueBytes] = [Number(process.argv[2] ?? 64), Number(process.argv[3] ?? 1000)];
const records = Math.floor((megabytes * 1e6) / valueBytes);
const PORT = 24_601;
const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-kafka-'));
const java = ['-Xmx768m', '-cp', join(resolve('.servers/kafka/lib'), '*')];

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}

async function main(): Promise<void> {
  const broker = await startBroker();
  try {
    await fill();
    writeFileSync(join(folder, 'holdfast.yaml'), `vaults: { main: { directory: vault, key-file: key } }\nplans:\n  events: { source: { type: kafka, brokers: ["127.0.0.1:${PORT}"] } }\n`);
    await holdfast('init');
    tell('the vendor\'s client, read and thrown away', await measured('java', [...java, 'org.apache.kafka.tools.consumer.ConsoleConsumer', '--bootstrap-server', `127.0.0.1:${PORT}`, '--topic', 'bench', '--from-beginning', '--max-messages', String(records), '--timeout-ms', '60000']));
    tell('holdfast backup', await holdfast('backup', 'events'));
    tell('holdfast backup, again', await holdfast('backup', 'events'));
    tell('holdfast restore', await holdfast('restore', 'latest:events', '--to-database', `kafka://127.0.0.1:${PORT}/?prefix=restored-`));
  } finally {
    broker.kill('SIGKILL');
  }
}

function tell(what: string, { seconds, peakMiB }: { readonly seconds: number; readonly peakMiB: number }): void {
  console.log(`${what}: ${seconds.toFixed(1)} s, ${(megabytes / seconds).toFixed(0)} MB/s, ${Math.round(records / seconds)} records/s, peak ${peakMiB} MiB`);
}

async function startBroker() {
  const properties = join(folder, 'server.properties');
  writeFileSync(properties, [
    'process.roles=broker,controller', 'node.id=1', `controller.quorum.voters=1@127.0.0.1:${PORT + 1}`, 'controller.listener.names=CONTROLLER', `listeners=PLAINTEXT://127.0.0.1:${PORT},CONTROLLER://127.0.0.1:${PORT + 1}`,
    'listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT', `log.dirs=${join(folder, 'log')}`, 'offsets.topic.replication.factor=1', 'offsets.topic.num.partitions=1', '',
  ].join('\n'));
  mkdirSync(join(folder, 'log'));
  const formatted = spawnSync('java', [...java, 'kafka.tools.StorageTool', 'format', '--cluster-id', 'aG9sZGZhc3QtYmVuY2gtcw', '--config', properties]);
  if (formatted.status !== 0) throw new Error(`StorageTool ended with ${formatted.status}: ${formatted.stderr}`);
  const broker = spawn('java', [...java, 'kafka.Kafka', properties], { stdio: 'ignore' });
  for (let attempt = 0; attempt < 600; attempt++) {
    if (await isUp()) return broker;
    await sleep(100);
  }
  broker.kill('SIGKILL');
  throw new Error(`no broker on port ${PORT} after a minute`);
}

function isUp(): Promise<boolean> {
  return new Promise((answer) => {
    const socket = connect(PORT, '127.0.0.1', () => (socket.destroy(), answer(true)));
    socket.once('error', () => answer(false));
  });
}

/** Values that compress about as much as JSON does. */
async function fill(): Promise<void> {
  const [admin, producer] = [new Admin({ clientId: 'bench', bootstrapBrokers: [`127.0.0.1:${PORT}`] }), new Producer<string, Buffer, string, string>({ clientId: 'bench', bootstrapBrokers: [`127.0.0.1:${PORT}`] })];
  await admin.createTopics({ topics: ['bench'], partitions: 4, replicas: 1 });
  for (let sent = 0; sent < records;) {
    const count = Math.min(records - sent, Math.ceil(500_000 / valueBytes));
    await producer.send({ messages: Array.from({ length: count }, (_, index) => ({ topic: 'bench', partition: Math.floor((sent + index) / 500) % 4, value: valueOf(sent + index) })) });
    sent += count;
  }
  await producer.close();
  await admin.close();
}

function valueOf(index: number): Buffer {
  const text = Buffer.alloc(valueBytes, `{"id":${index},"at":"2026-01-01T00:00:00Z","amount":${(index * 7919) % 100_000},"state":"paid"},`);
  for (let at = 0; at + 8 <= valueBytes; at += 64) text.writeUInt32LE((index * 2_654_435_761 + at * 40_503) >>> 0, at);
  return text;
}

function holdfast(...args: readonly string[]) {
  return measured(process.execPath, ['--no-warnings', resolve('dist/holdfast.mjs'), ...args]);
}

/** Wall clock, and VmHWM of the process, looked at until it ends. */
async function measured(program: string, args: readonly string[]): Promise<{ seconds: number; peakMiB: number }> {
  const begun = performance.now();
  const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, HOME: folder, XDG_STATE_HOME: join(folder, 'state') } });
  let peakKiB = 0;
  const watch = setInterval(() => {
    try {
      peakKiB = Math.max(peakKiB, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? 0));
    } catch {
      // It has ended.
    }
  }, 20);
  const code = await new Promise<number | null>((answer) => child.once('exit', answer));
  clearInterval(watch);
  if (code !== 0 && code !== 3) throw new Error(`${program} ${args.join(' ')} ended with ${code}`);
  return { seconds: (performance.now() - begun) / 1000, peakMiB: Math.round(peakKiB / 1024) };
}
