import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { chown, link, lstat, mkdir, open, readFile, readdir, readlink, realpath, rename, rm, stat, statfs } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { byteString, display } from '../../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { makeMissingFolders } from '../../model/make-missing-folders.ts';
import type { BackupContent, ContentFile, DatabaseLoad, DatabaseLoader, LoadOptions, LoadRequest, LoadedDatabase } from '../database-loader.ts';
import { RdbReader } from './rdb.ts';
import type { RdbSummary } from './rdb.ts';
import { headOf, snapshotIn } from './snapshots-in.ts';

/** As servers call them when nobody chose other names. */
const SNAPSHOT = 'dump.rdb';
const LOG_FOLDER = 'appendonlydir';
const LOG = 'appendonly.aof';
/** A server that finds one of these does not look at what is restored, or would lose it. */
const IN_THE_WAY = [SNAPSHOT, LOG_FOLDER, LOG];
const SERVERS = new Set(['redis-server', 'valkey-server']);

/**
 * Puts a snapshot into the directory of a server that is stopped, so that it comes up with it however it is configured: with
 * `appendonly yes` a server looks at its append-only files alone and starts empty beside a lonely dump.rdb, so that these are
 * made, too, out of the same bytes (a second name of the same file).
 */
export class RedisDirectoryLoader implements DatabaseLoader {
  readonly kind = 'redis';
  readonly description: string;
  readonly #directory: string;

  constructor({ directory }: { readonly directory: string }) {
    this.#directory = directory;
    this.description = `the directory ${directory}`;
  }

  async plan(content: BackupContent, wanted: LoadRequest): Promise<DatabaseLoad[]> {
    refuseWishes(wanted);
    const file = await snapshotIn(content, wanted.entry);
    const { version, server } = await headOf(file);
    await this.#refuseTarget(file.bytes);
    const isOld = /^Redis [0-6]\./.test(server);
    return [{
      mode: wanted.mode, description: this.description, entry: display(file.path), bytes: file.bytes, place: this.#directory, into: this.description, words: { table: 'database', row: 'key' },
      archive: { server, dumpedBy: server, database: 'all' }, client: 'a copy of its files', server: '(stopped)', existing: { objects: 0, tables: [] },
      warnings: isOld ? [`${server} knows no ${LOG_FOLDER}: with \`appendonly yes\` it would start empty; start it with \`appendonly no\`, and turn that on afterwards (CONFIG SET appendonly yes)`] : [],
      perform: (options) => this.#perform(file, options),
      missingTables: () => this.#missing(file, version),
    }];
  }

  async #refuseTarget(bytes: number): Promise<void> {
    const directory = this.#directory;
    const there = await stat(directory).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? undefined : Promise.reject(failed(error, directory))));
    if (there === undefined) return;
    if (!there.isDirectory()) throw new HoldfastError('target-exists', `${directory} is no directory. Nothing was done.`, { nextStep: 'Name the directory of the server (`dir` in its configuration).' });
    const names = new Set(await readdir(directory).catch((error: NodeJS.ErrnoException) => Promise.reject(failed(error, directory))));
    const found = IN_THE_WAY.filter((name) => names.has(name));
    if (found.length > 0) throw new HoldfastError('target-exists', `${directory} has ${found.join(' and ')} already. Nothing was done.`, { nextStep: 'Move them away: they are the data that the server has now.', data: { objects: found } });
    const pid = await serverIn(directory);
    if (pid !== undefined) throw new HoldfastError('busy', `A server runs in ${directory} (pid ${pid}), and would write its own data over what is restored. Nothing was done.`, { nextStep: 'Stop it first, or restore into it while it runs: --to-database redis://HOST:PORT.' });
    const { bavail, bsize } = await statfs(directory);
    if (bavail * bsize < bytes) throw new HoldfastError('no-space', `The disk of ${directory} has ${bavail * bsize} bytes left, wanted ${bytes}. Nothing was done.`, { nextStep: 'Make room there.' });
  }

  async #perform(file: ContentFile, options: LoadOptions): Promise<LoadedDatabase> {
    const directory = this.#directory;
    await this.#refuseTarget(file.bytes);
    const made: string[] = [];
    try {
      makeMissingFolders(byteString(Buffer.from(directory)), 0o700);
      const owner = await stat(directory);
      const folder = join(directory, `holdfast-restore-${process.pid}`);
      made.push(folder);
      await mkdir(folder, { mode: 0o700 });
      const base = join(folder, `${LOG}.1.base.rdb`);
      const { keys, functions } = await writeSnapshot(file, base, options);
      await writeText(join(folder, `${LOG}.1.incr.aof`), '');
      await writeText(join(folder, `${LOG}.manifest`), `file ${LOG}.1.base.rdb seq 1 type b\nfile ${LOG}.1.incr.aof seq 1 type i\n`);
      for (const name of ['', ...(await readdir(folder))]) await giveTo(owner, join(folder, name));
      await flushFolder(folder);
      // Both fail when somebody made them meanwhile; a folder takes the place of an empty one.
      await link(base, join(directory, SNAPSHOT));
      made.push(join(directory, SNAPSHOT));
      await rename(folder, join(directory, LOG_FOLDER));
      await flushFolder(directory);
      const tables = [...keys].map(([database, rows]) => ({ schema: 'db', table: String(database), rows }));
      return { bytes: file.bytes, tables, warnings: [], notes: [...(functions > 0 ? [`libraries of functions: ${functions}`] : []), `${SNAPSHOT} for \`appendonly no\`, and ${LOG_FOLDER}/ for \`appendonly yes\`; other names in the configuration (dbfilename, appenddirname, appendfilename) want other names here`] };
    } catch (error) {
      for (const path of made) await rm(path, { recursive: true, force: true });
      throw isHoldfastError(error) ? error : failed(error as NodeJS.ErrnoException, directory);
    }
  }

  /** Reads what lies there, to its checksum. */
  async #missing(file: ContentFile, version: number): Promise<string[]> {
    const missing: string[] = [];
    for (const name of [SNAPSHOT, join(LOG_FOLDER, `${LOG}.1.base.rdb`)]) {
      const handle = await open(join(this.#directory, name)).catch(() => undefined);
      const reader = new RdbReader();
      const isWhole = handle !== undefined && (await readInto(reader, handle).then(() => reader.end().version === version && reader.total === file.bytes).catch(() => false));
      await handle?.close();
      if (!isWhole) missing.push(name);
    }
    return missing;
  }
}

function refuseWishes({ mode, tables = [], schemas = [], jobs = 1 }: LoadRequest): void {
  const refused = mode !== 'empty' ? `--${mode === 'keep' ? 'keep-existing' : mode}` : tables.length > 0 ? '--table' : schemas.length > 0 ? '--schema' : jobs > 1 ? 'several jobs' : undefined;
  if (refused !== undefined) throw new HoldfastError('usage', `A restore into the directory of Redis or Valkey does not know ${refused}: its files are restored whole, where none are. Nothing was done.`, { nextStep: 'Keys can be chosen in a restore into a running server: --to-database redis://HOST:PORT.' });
}

/** Servers work in their directory. Those of other users are seen by root alone, who alone may write there. */
async function serverIn(directory: string): Promise<number | undefined> {
  const real = await realpath(directory);
  for (const pid of (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))) {
    const [name, place] = await Promise.all([readFile(`/proc/${pid}/comm`, 'utf8').catch(() => ''), readlink(`/proc/${pid}/cwd`).catch(() => '')]);
    if (SERVERS.has(name.trim()) && place === real) return Number(pid);
  }
  return undefined;
}

async function writeSnapshot(file: ContentFile, path: string, { signal, onBytes }: LoadOptions): Promise<RdbSummary> {
  const reader = new RdbReader();
  const handle = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    for await (const part of file.read()) {
      if (signal.aborted) throw new HoldfastError('interrupted', `Restoring ${display(file.path)} was stopped. Nothing of it was left.`, { cause: signal.reason });
      const bytes = Buffer.from(part);
      reader.push(bytes);
      await handle.writeFile(bytes);
      onBytes?.(reader.total);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (reader.total !== file.bytes) throw new HoldfastError('damaged', `${reader.total} bytes of ${display(file.path)} were read, wanted ${file.bytes}.`, { nextStep: 'Run `holdfast verify --level full`.' });
  return reader.end();
}

async function readInto(reader: RdbReader, handle: FileHandle): Promise<void> {
  for await (const part of handle.createReadStream({ autoClose: false, highWaterMark: 1 << 20 })) reader.push(part as Buffer);
}

async function writeText(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A server runs as the owner of its directory, and must write there. */
async function giveTo({ uid, gid }: Stats, path: string): Promise<void> {
  const now = await lstat(path);
  if (now.uid !== uid || now.gid !== gid) await chown(path, uid, gid);
}

async function flushFolder(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function failed(cause: NodeJS.ErrnoException, directory: string): HoldfastError {
  const code = cause.code === 'EACCES' || cause.code === 'EPERM' ? 'permission' : cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : cause.code === 'EEXIST' || cause.code === 'ENOTEMPTY' ? 'target-exists' : 'target-failed';
  return new HoldfastError(code, `${directory} cannot be restored into: ${cause.message}.`, { nextStep: code === 'permission' ? 'Restore as root, or as the user that the server runs as.' : 'Mend what it says, and restore again.', cause });
}
