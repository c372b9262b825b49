import { readFileSync } from 'node:fs';
import { fetchSecret, isRemote } from '../config/secret-reference.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import type { Environment } from './places.ts';
import { readRemoteSecret } from './remote-secret.ts';

/** Reads secrets of this machine and remote ones, at the moment of use. Fails as `missing-key`. */
export function secretReader({ variables }: Pick<Environment, 'variables'>): (reference: SecretReference) => Promise<string> {
  return async (reference) => (isRemote(reference) ? readRemoteSecret(reference) : fetchSecret(reference, { environment: variables, readTextFile: (path) => readFileSync(path, 'utf8') }));
}
