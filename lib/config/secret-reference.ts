import { HoldfastError } from '../model/errors.ts';

/**
 * Where a secret is, never the secret itself: configurations are logged, hashed and shown. It is read at the moment of
 * use by `resolveSecret` and goes nowhere else.
 */
export interface SecretReference {
  readonly kind: 'env' | 'file';
  /** Name of the environment variable, or path of the file. */
  readonly name: string;
}

/** What secrets are read from; composition roots hand in the real ones. */
export interface SecretPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readTextFile: (path: string) => string;
}

export const SECRET_REFERENCE = /^\$\{(env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}\n]+)\}$/;
export const SECRET_WANTED = 'a reference to a secret: ${env:NAME} or ${file:path}, never the secret itself';

/** The text must match `SECRET_REFERENCE`. */
export function parseSecretReference(text: string): SecretReference {
  const inner = text.slice(2, -1);
  return inner.startsWith('env:') ? { kind: 'env', name: inner.slice(4) } : { kind: 'file', name: inner.slice(5) };
}

/**
 * The secret itself: a variable as it is, a file without the one line end that editors add. Fails with `missing-key` when
 * it is not there or empty; the message names the place and never the value.
 */
export function resolveSecret(reference: SecretReference, places: SecretPlaces): string {
  const value = reference.kind === 'env' ? places.environment[reference.name] : readSecretFile(reference.name, places);
  if (value === undefined || value === '') {
    const where = reference.kind === 'env' ? `environment variable ${reference.name}` : `file ${reference.name}`;
    throw new HoldfastError('missing-key', `The secret \${${reference.kind}:${reference.name}} is not there: ${where} is ${value === undefined ? 'not set' : 'empty'}, wanted a value.`, {
      nextStep: reference.kind === 'env' ? `Set ${reference.name} for this process and run the command again.` : `Write the secret to ${reference.name} with mode 0600.`,
    });
  }
  return value;
}

function readSecretFile(path: string, places: SecretPlaces): string {
  try {
    return places.readTextFile(path).replace(/\r?\n$/, '');
  } catch (cause) {
    throw new HoldfastError('missing-key', `The secret \${file:${path}} cannot be read: ${(cause as NodeJS.ErrnoException).code ?? 'unknown error'}, wanted a readable file.`, {
      cause,
      nextStep: `Check that ${path} exists and that this user may read it.`,
    });
  }
}
