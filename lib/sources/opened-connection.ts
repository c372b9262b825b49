import { rm } from 'node:fs/promises';
import type { Clock } from '../model/clock.ts';
import { makeScratch, sweepScratch } from './scratch.ts';

export interface ConnectionPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Private files with the password lie here while a client program runs. */
  readonly temporaryFolder: string;
  readonly clock: Pick<Clock, 'now'>;
}

/** How client programs of a database reach it, for as long as the files are there that hold the connection. */
export interface OpenedConnection {
  /** Names those files; says nothing of the connection. */
  readonly argument: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Callable twice. */
  remove(): Promise<void>;
}

/** A host that does not answer must not hold up a run for the minutes that TCP would. */
export const CONNECT_SECONDS = 15;

/**
 * Lets `write` put the connection into a private folder (0700), so that neither argument list nor environment of a program
 * holds any of it. Remove it always; what a killed process left is removed by the next one.
 */
export async function openByFiles({ temporaryFolder, clock }: ConnectionPlaces, write: (folder: string) => Promise<Omit<OpenedConnection, 'remove'>>): Promise<OpenedConnection> {
  await sweepScratch(temporaryFolder, clock.now());
  const folder = await makeScratch(temporaryFolder);
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    return { ...(await write(folder)), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** What a client program may take from this process: others can read its environment. Errors are recognised by their English text. */
export function environmentOf({ environment }: ConnectionPlaces, names: readonly string[]): Record<string, string | undefined> {
  return { ...Object.fromEntries(names.filter((name) => environment[name] !== undefined).map((name) => [name, environment[name]])), LC_ALL: 'C' };
}

/** For messages: `db.internal:3306`, `[::1]:3306`. */
export function hostAndPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
