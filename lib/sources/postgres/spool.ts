import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ContentFile } from '../database-loader.ts';
import { checkFreeSpace } from '../scratch.ts';
import type { BackedUpArchive } from './archives.ts';

export interface SpoolOptions {
  readonly signal: AbortSignal;
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

/**
 * Writes an archive into a private folder, where several connections of pg_restore can read it at once; answers its
 * path. Fails as `no-space` before anything is written, and as reading the backup fails.
 */
export async function spoolArchive(archive: BackedUpArchive, folder: string, options: SpoolOptions): Promise<string> {
  await checkFreeSpace(folder, archive.bytes, `The archive ${archive.name}`);
  const path = join(folder, 'archive');
  let before = 0;
  const one = async (file: ContentFile, to: string) => {
    await spoolFile(file, to, { ...options, onBytes: (bytes) => options.onBytes?.(before + bytes) });
    before += file.bytes;
  };
  const [first] = archive.files;
  if (archive.format === 'custom' && first !== undefined) await one(first, path);
  else {
    await mkdir(path, { mode: 0o700 });
    for (const file of archive.files) await one(file, join(path, basename(display(file.path))));
  }
  return path;
}

export async function spoolFile(file: ContentFile, to: string, { signal, onBytes }: SpoolOptions): Promise<void> {
  let written = 0;
  const counted = async function* () {
    for await (const part of file.read()) {
      written += part.length;
      onBytes?.(written);
      yield part;
    }
  };
  await pipeline(Readable.from(counted()), createWriteStream(to, { mode: 0o600, flags: 'wx' }), { signal });
  if (written !== file.bytes) throw new HoldfastError('damaged', `${written} bytes of ${display(file.path)} were read, wanted ${file.bytes}.`, { nextStep: 'Run `holdfast verify --level full`.' });
}
