import { createHmac, randomBytes } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import { isHexId, newHexId } from '../model/ids.ts';
import type { WriterId } from '../model/ids.ts';
import type { Writer } from '../repository/index.ts';
import { folderError, makeFolders } from './make-folders.ts';

export interface WriterOrigin {
  readonly chunkerSecret: Uint8Array;
  /** As `machineId` tells it. */
  readonly machine: string | undefined;
  readonly uid: number;
}

/** machine-id(5); D-Bus had it first. */
const MACHINE_ID_FILES = ['/etc/machine-id', '/var/lib/dbus/machine-id'];

/**
 * Who stores packs from here. An id kept in the state directory counts. Else it is derived from what outlives that
 * directory: another id would not reuse the packs of this one, and a lost directory would store everything a second
 * time. A machine without an id of its own keeps a random one; two first runs at once agree on one.
 */
export async function writerIdentity(stateFolder: string, origin: WriterOrigin): Promise<Writer> {
  const path = join(stateFolder, 'writer');
  const id = (await readId(path)) ?? derivedId(origin) ?? (await makeId(path));
  return { id, host: hostname() };
}

/** The id of this machine, or undefined: images are shipped with an empty file or the word `uninitialized`. */
export async function machineId(files: readonly string[] = MACHINE_ID_FILES): Promise<string | undefined> {
  for (const file of files) {
    const text = (await readFile(file, 'latin1').catch(() => '')).trim();
    if (isHexId(text) && !/^0+$/.test(text)) return text;
  }
  return undefined;
}

/** By a MAC: machine-id(5) asks not to show the id itself, and the store sees names of packs (decision 0008). */
function derivedId({ chunkerSecret, machine, uid }: WriterOrigin): WriterId | undefined {
  if (machine === undefined) return undefined;
  return createHmac('sha256', chunkerSecret).update(`writer\0${machine}\0${uid}`).digest().subarray(0, 16).toString('hex') as WriterId;
}

async function readId(path: string): Promise<WriterId | undefined> {
  const text = await readFile(path, 'latin1').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return undefined;
    throw folderError(dirname(path), cause);
  });
  if (text === undefined) return undefined;
  const id = text.trim();
  if (isHexId(id)) return id as WriterId;
  throw new HoldfastError('damaged', `${path} does not hold a writer id: wanted 32 hexadecimal digits.`, { nextStep: `Remove it: the next backup goes by the id of this machine, and may store once more what this writer had stored.` });
}

async function makeId(path: string): Promise<WriterId> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}`;
  makeFolders(dirname(path));
  try {
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
    throw folderError(dirname(path), cause as NodeJS.ErrnoException);
  }
  return (await readId(path)) as WriterId;
}
