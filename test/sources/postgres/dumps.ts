import { read, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { display } from '../../../lib/model/byte-string.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { PostgresSource } from '../../../lib/sources/postgres.ts';
import type { PostgresOptions } from '../../../lib/sources/postgres.ts';
import type { PostgresConnection } from '../../../lib/sources/postgres/connection.ts';
import type { SourceStream, StreamProof } from '../../../lib/sources/source.ts';
import type { PostgresServer } from '../../support/servers/postgres.ts';

export function connectionTo(server: PostgresServer, database = 'postgres'): PostgresConnection {
  const { host, port, user, password } = server;
  return { host, port, user, password, database };
}

export function sourceFor(server: PostgresServer, temporaryFolder: string, changes: Partial<Omit<PostgresOptions, 'connection'>> & { readonly connection?: Partial<PostgresConnection> } = {}): PostgresSource {
  const { connection, ...options } = changes;
  return new PostgresSource({
    connection: { ...connectionTo(server), ...connection },
    schemas: [], excludeTables: [], content: 'all', globals: 'none', jobs: 1, rowCounts: 'auto', scratchFolder: join(temporaryFolder, 'scratch'), minimumBytes: 0, binaries: server.binaries, environment: process.env, temporaryFolder, clock: systemClock, ...options,
  });
}

export interface Dumped {
  readonly name: string;
  readonly proof: StreamProof;
  readonly bytes: Buffer;
}

/** Opens the first stream and reads all of it, as the engine does. */
export async function dumpWhole(source: PostgresSource): Promise<Dumped> {
  for await (const stream of source.streams(new AbortController().signal)) return readStream(stream);
  throw new Error('the source has no stream');
}

/** Every stream, one after another. */
export async function dumpAll(source: PostgresSource, signal = new AbortController().signal): Promise<Dumped[]> {
  const dumped: Dumped[] = [];
  for await (const stream of source.streams(signal)) dumped.push(await readStream(stream));
  return dumped;
}

async function readStream(stream: SourceStream): Promise<Dumped> {
  const opened = await stream.open();
  try {
    const bytes = await readWhole(opened.fd);
    return { name: display(stream.name), proof: await opened.finish({ bytes: bytes.length, tail: bytes.subarray(-4096) }), bytes };
  } finally {
    await opened.close();
  }
}

async function readWhole(fd: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const part = await readSome(fd);
    if (part.length === 0) return Buffer.concat(parts);
    parts.push(part);
  }
}

export function readSome(fd: number): Promise<Buffer> {
  const buffer = Buffer.alloc(1 << 20);
  return new Promise((resolve, reject) => read(fd, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(buffer.subarray(0, count)))));
}

export interface Running {
  readonly pid: number;
  readonly name: string;
  readonly argumentsAndEnvironment: string;
}

/** Processes that this one started, and what they started, as anybody of the same user sees them. */
export function descendants(parent = process.pid): Running[] {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => tryInspect(Number(name)));
  const found: (Running & { parent: number })[] = [];
  const parents = new Set([parent]);
  for (let before = -1; before !== parents.size; ) {
    before = parents.size;
    for (const one of all) if (parents.has(one.parent) && !parents.has(one.pid)) {
      parents.add(one.pid);
      found.push(one);
    }
  }
  return found;
}

function tryInspect(pid: number): (Running & { parent: number })[] {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const parent = Number(status.slice(status.lastIndexOf(')') + 2).split(' ')[1]);
    return [{ pid, parent, name: basename(readlinkSync(`/proc/${pid}/exe`)), argumentsAndEnvironment: `${readFileSync(`/proc/${pid}/cmdline`, 'utf8')}\0${readFileSync(`/proc/${pid}/environ`, 'utf8')}` }];
  } catch {
    return []; // It has ended meanwhile, or is the kernel's.
  }
}
