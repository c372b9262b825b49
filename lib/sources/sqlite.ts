import { constants } from 'node:fs';
import { open, realpath, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fromText } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesOf } from './attributes.ts';
import { checkFreeSpace, makeScratch, sweepScratch } from './scratch.ts';
import type { OpenStream, SourceStream, StreamSource } from './source.ts';
import { copyDatabase, integrityFindings } from './sqlite-copy.ts';
import type { CopyProgress } from './sqlite-copy.ts';

export interface SqliteOptions {
  readonly path: string;
  /** In the state directory; copies lie there in plain until they are read, with mode 0600. */
  readonly scratchFolder: string;
  readonly clock: Clock;
  /** How long to wait for an exclusive lock to go; 10 s by default. */
  readonly busyMilliseconds?: number;
  readonly onProgress?: (progress: CopyProgress) => void;
}

const MAGIC = 'SQLite format 3\0';
const BUSY_MILLISECONDS = 10_000;
/** Beyond the pages of the database and its log. */
const MARGIN_BYTES = 1 << 20;

/** A consistent copy of a live database, checked before it is kept (S5), as one entry named like its file. */
export class SqliteSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'sqlite';
  readonly description: string;
  readonly #options: SqliteOptions;

  constructor(options: SqliteOptions) {
    this.#options = options;
    this.description = options.path;
  }

  async check(): Promise<void> {
    const handle = await openFile(this.#options.path);
    try {
      await checkHeader(handle, this.#options.path);
    } finally {
      await handle.close();
    }
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    await this.check();
    const status = await stat(this.#options.path, { bigint: true });
    const name = fromText(basename(this.#options.path));
    yield { name, attributes: attributesOf(status), sizeHint: Number(status.size), open: () => this.#open(signal) };
  }

  async #open(signal: AbortSignal): Promise<OpenStream> {
    const { scratchFolder, clock } = this.#options;
    await sweepScratch(scratchFolder, clock.now());
    const scratch = await makeScratch(scratchFolder);
    try {
      const copy = join(scratch, 'copy.db');
      const sourceBytes = await this.#copyTo(copy, signal);
      // SQLite takes it for a good database without tables; it is also what a failed restore or a stray `touch` leaves.
      const warnings = sourceBytes === 0 ? ['the database is empty (0 bytes)'] : [];
      return await streamOf(await open(copy, 'r'), { description: this.description, warnings, signal });
    } finally {
      // The open descriptor keeps the bytes until they are read; from here on no crash leaves them behind.
      await rm(scratch, { recursive: true, force: true });
    }
  }

  /** Answers the size of what was copied, its write-ahead log included, in bytes. */
  async #copyTo(copy: string, signal: AbortSignal): Promise<number> {
    const { path, scratchFolder, clock, onProgress, busyMilliseconds = BUSY_MILLISECONDS } = this.#options;
    // SQLite looks for the side files beside the file itself, not beside a link to it.
    const real = await realpath(path);
    const sourceBytes = (await sizeOf(real)) + (await sizeOf(`${real}-wal`));
    await checkFreeSpace(scratchFolder, sourceBytes + MARGIN_BYTES, `A copy of the database ${path}`);
    // Made here, because SQLite would make it with the umask's mode.
    await (await open(copy, 'wx', 0o600)).close();
    await copyDatabase(real, copy, { clock, signal, busyMilliseconds, ...(onProgress && { onProgress }) });
    onProgress?.({ phase: 'checking', pages: 0, totalPages: 0 });
    const findings = await integrityFindings(copy, signal);
    if (findings.length > 0) throw corrupt(path, findings);
    if ((await sizeOf(`${copy}-wal`)) > 0) throw new HoldfastError('source-failed', `The copy of ${path} still has a write-ahead log after its check.`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
    return sourceBytes;
  }
}

interface CopyFacts {
  readonly description: string;
  readonly warnings: readonly string[];
  readonly signal: AbortSignal;
}

async function streamOf(handle: FileHandle, { description, warnings, signal }: CopyFacts): Promise<OpenStream> {
  const { size } = await handle.stat();
  let isClosed = false;
  return {
    fd: handle.fd,
    size,
    finish: async ({ bytes }) => {
      if (signal.aborted) throw new HoldfastError('interrupted', `Reading the copy of ${description} was stopped.`, { cause: signal.reason });
      if (bytes === size) return { bytes, evidence: ['integrity_check ok'], ...(warnings.length > 0 && { warnings }) };
      throw new HoldfastError('source-failed', `${bytes} bytes of the copy of ${description} were read, wanted ${size}.`, { nextStep: 'Nothing of this run is kept; start the backup again.' });
    },
    close: async () => {
      if (isClosed) return;
      isClosed = true;
      await handle.close();
    },
  };
}

async function openFile(path: string): Promise<FileHandle> {
  // Non-blocking: a FIFO in its place must not hang the check.
  return open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EACCES') throw new HoldfastError('permission', `The database ${path} may not be read by this user.`, { nextStep: 'Run as a user that may read the database and its folder.', cause });
    throw new HoldfastError('source-failed', `The database ${path} is not there (${cause.code}).`, { nextStep: 'Check the path, and whether what should be mounted there is mounted.', cause });
  });
}

/** An empty file is an empty database. */
async function checkHeader(handle: FileHandle, path: string): Promise<void> {
  const status = await handle.stat();
  const { bytesRead, buffer } = status.isFile() ? await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0) : { bytesRead: -1, buffer: Buffer.alloc(0) };
  if (bytesRead === 0 || buffer.latin1Slice(0, Math.max(0, bytesRead)) === MAGIC) return;
  throw new HoldfastError('source-failed', `${path} is not an SQLite database, or is encrypted: it does not begin with "SQLite format 3".`, { nextStep: 'Check the path; an encrypted database is kept as a files or command source.' });
}

function corrupt(path: string, findings: readonly string[]): HoldfastError {
  const lines = findings.flatMap((finding) => finding.split('\n')).filter((line) => !line.startsWith('***'));
  const more = lines.length > 3 ? ` (and ${lines.length - 3} more)` : '';
  return new HoldfastError('source-failed', `The database ${path} is corrupt; integrity_check says: ${lines.slice(0, 3).join('; ')}${more}.`, {
    nextStep: 'The copy was not kept and earlier backups stay as they are. Restore the last good one, or save what can be read with `sqlite3 FILE .recover`.',
    data: { findings },
  });
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(({ size }) => size, (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return 0;
    throw cause;
  });
}
