import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import { isHexId, newHexId } from '../model/ids.ts';
import type { WriterId } from '../model/ids.ts';
import type { Writer } from '../repository/index.ts';

/**
 * Who stores packs from this state directory: one random id, made by the first run and kept. Two first runs at once
 * agree on one. Losing it costs space only: another id does not deduplicate against the packs of this one.
 */
export async function writerIdentity(stateFolder: string): Promise<Writer> {
  const path = join(stateFolder, 'writer');
  const id = (await readId(path)) ?? (await makeId(path));
  return { id, host: hostname() };
}

async function readId(path: string): Promise<WriterId | undefined> {
  const text = await readFile(path, 'latin1').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw stateError(path, cause);
  });
  if (text === undefined) return undefined;
  const id = text.trim();
  if (isHexId(id)) return id as WriterId;
  throw new HoldfastError('damaged', `${path} does not hold a writer id: wanted 32 hexadecimal digits.`, { nextStep: `Remove it: the next backup makes a new one, and stores once more what this writer had stored.` });
}

async function makeId(path: string): Promise<WriterId> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(`${newHexId<WriterId>()}\n`);
    await handle.sync();
    await handle.close();
    // The first one to link its file is the writer; others read what it wrote.
    await link(temporary, path).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EEXIST') throw cause;
    });
    await unlink(temporary);
  } catch (cause) {
    throw stateError(path, cause as NodeJS.ErrnoException);
  }
  return (await readId(path)) as WriterId;
}

function stateError(path: string, cause: NodeJS.ErrnoException): HoldfastError {
  const code = cause.code === 'ENOSPC' || cause.code === 'EDQUOT' ? 'no-space' : 'permission';
  return new HoldfastError(code, `The state directory ${dirname(path)} cannot be used (${cause.code}).`, { nextStep: 'Make it writable for this user, or set XDG_STATE_HOME to another place.', cause });
}
