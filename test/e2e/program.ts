import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** `HOLDFAST_DIST`: another folder with bundles, for who must leave `dist/` alone. */
export const PROGRAM = join(process.env['HOLDFAST_DIST'] ?? join(import.meta.dirname, '..', '..', 'dist'), 'holdfast.mjs');

export interface Ran {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly bytes: Buffer;
}

/** One person on one machine: folders of their own, the built program, and everything it ever said. */
export class Person {
  readonly folder: string;
  readonly vault: string;
  readonly environment: NodeJS.ProcessEnv;
  said = '';

  /** `folder`: an empty one that the caller removes; by default one that goes when the test file ends. */
  constructor(environment: NodeJS.ProcessEnv = {}, folder = temporaryFolder()) {
    this.folder = folder;
    this.vault = join(folder, 'vault');
    if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not built: npm run build`);
    const xdg = (name: string) => join(this.folder, 'xdg', name);
    this.environment = { PATH: process.env['PATH'], HOME: join(this.folder, 'home'), XDG_DATA_HOME: xdg('data'), XDG_CONFIG_HOME: xdg('config'), XDG_STATE_HOME: xdg('state'), TZ: 'UTC', ...environment };
    for (const name of ['home', 'work']) mkdirSync(join(this.folder, name));
  }

  path(...parts: string[]): string {
    return join(this.folder, ...parts);
  }

  start(args: readonly string[], node: readonly string[] = []): ChildProcess {
    return spawn(process.execPath, [...node, PROGRAM, ...args], { cwd: this.path('work'), env: this.environment, stdio: ['pipe', 'pipe', 'pipe'] });
  }

  async run(args: readonly string[], input?: string | Buffer): Promise<Ran> {
    const child = this.start(args);
    // A command that fails early does not read what it is given.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
    const ran = await ended(child);
    this.said += ran.stdout + ran.stderr;
    return ran;
  }

  /** For steps that must succeed; the failure shows what the program said. */
  async do(args: readonly string[], input?: string | Buffer): Promise<Ran> {
    const ran = await this.run(args, input);
    if (ran.code !== 0) throw new Error(`holdfast ${args.join(' ')} ended with ${ran.code ?? ran.signal}: ${ran.stderr}${ran.stdout}`);
    return ran;
  }

  async json<T>(args: readonly string[]): Promise<T[]> {
    return (await this.do([...args, '--json'])).stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line) as T);
  }
}

export async function ended(child: ChildProcess): Promise<Ran> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => child.on('close', (...end) => resolve(end)));
  const bytes = Buffer.concat(out);
  return { code, signal, bytes, stdout: bytes.toString(), stderr: Buffer.concat(err).toString() };
}

/** Every entry of a tree in words: type, mode, time, and what is in it. A restored time is less than a microsecond away, and in the same second. */
export function describeTree(root: string, path = ''): string[] {
  const place = join(root, path);
  const stats = lstatSync(place);
  const facts = `${path} ${stats.mode.toString(8)}`;
  const time = Math.floor(stats.mtimeMs / 1000);
  if (stats.isSymbolicLink()) return [`${facts} -> ${readlinkSync(place)}`];
  if (stats.isFile()) return [`${facts} ${time} ${stats.size} ${createHash('sha256').update(readFileSync(place)).digest('hex')}`];
  if (!stats.isDirectory()) return [facts];
  return [`${facts} ${time}`, ...readdirSync(place).sort().flatMap((name) => describeTree(root, join(path, name)))];
}

export function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
