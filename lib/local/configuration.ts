import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config/load-config.ts';
import { HoldfastError } from '../model/errors.ts';
import { placesOf } from './places.ts';
import type { Environment } from './places.ts';

export const CONFIG_FILE = 'holdfast.yaml';

/**
 * The `holdfast.yaml` that counts: the one named by `--config` or HOLDFAST_CONFIG, else one in the working folder, else one
 * in the XDG configuration directory, else none. Fails as `config-invalid`, or `not-found` when a named one is absent.
 */
export async function findConfig(environment: Environment, named: string | undefined): Promise<Config | undefined> {
  const path = pathOf(environment, named ?? environment.variables['HOLDFAST_CONFIG']);
  if (path === undefined) return undefined;
  // Loaded only now: most commands run without a configuration and must not wait for its schema.
  const { MAX_CONFIG_BYTES, loadConfig } = await import('../config/load-config.ts');
  // One byte more shows that it is too long: a wrong path (a dump, /dev/zero) must not be read whole.
  return loadConfig(readText(path, MAX_CONFIG_BYTES + 1), path, { home: environment.home });
}

function pathOf(environment: Environment, named: string | undefined): string | undefined {
  if (named !== undefined && named !== '') return resolve(environment.workingFolder, named);
  return [environment.workingFolder, placesOf(environment).configFolder].map((folder) => join(folder, CONFIG_FILE)).find((path) => existsSync(path));
}

function readText(path: string, maxBytes: number): string {
  try {
    return readUpTo(path, maxBytes).toString('utf8');
  } catch (cause) {
    throw new HoldfastError('config-invalid', `The configuration ${path} cannot be read (${(cause as NodeJS.ErrnoException).code}).`, { nextStep: 'Check --config and HOLDFAST_CONFIG, or make one with `holdfast init`.', cause });
  }
}

function readUpTo(path: string, maxBytes: number): Buffer {
  const descriptor = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(maxBytes);
    let length = 0;
    for (let read = -1; read !== 0 && length < maxBytes; length += read) read = readSync(descriptor, bytes, length, maxBytes - length, null);
    return bytes.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}
