import { HoldfastError } from '../model/errors.ts';

/**
 * Where a secret is, never the secret itself: configurations are logged, hashed and shown. It is read at the moment of
 * use by `resolveSecret` or `fetchSecret` and goes nowhere else.
 */
export type SecretReference = LocalSecretReference | RemoteSecretReference;

/** On the machine that runs. */
export interface LocalSecretReference {
  readonly kind: 'env' | 'file';
  /** Name of the environment variable, or path of the file. */
  readonly name: string;
}

/** In the AWS account. */
export interface RemoteSecretReference {
  readonly kind: 'secrets-manager' | 'ssm';
  /** Name or ARN of the secret, or name of the parameter. */
  readonly name: string;
  /** The secret is a JSON map, and this key of it is wanted. Secrets Manager only. */
  readonly key?: string;
}

/** What secrets are read from; composition roots hand in the real ones. */
export interface SecretPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly readTextFile: (path: string) => string;
  /** The whole text of a secret or parameter of AWS, `key` not applied; absent where AWS is not asked. Fails as a HoldfastError. */
  readonly readRemote?: (reference: RemoteSecretReference) => Promise<string>;
}

const LOCAL = String.raw`env:[A-Za-z_][A-Za-z0-9_]*|file:[^{}\n]+`;
// Names as Secrets Manager and Parameter Store allow them, or the ARN of a secret.
const REMOTE = String.raw`secret:[A-Za-z0-9/_+=.@:-]+(#[^{}\s#]+)?|ssm:[A-Za-z0-9/_.-]+`;
export const SECRET_REFERENCE = new RegExp(String.raw`^\$\{(${LOCAL}|${REMOTE})\}$`);
export const SECRET_WANTED = 'a reference to a secret: ${env:NAME}, ${file:path}, ${secret:NAME}, ${secret:NAME#key} or ${ssm:/path}, never the secret itself';

const KINDS = { env: 'env', file: 'file', secret: 'secrets-manager', ssm: 'ssm' } as const;
const WORDS = { env: 'env', file: 'file', 'secrets-manager': 'secret', ssm: 'ssm' } as const;

/** The text must match `SECRET_REFERENCE`. */
export function parseSecretReference(text: string): SecretReference {
  const inner = text.slice(2, -1);
  const colon = inner.indexOf(':');
  const kind = KINDS[inner.slice(0, colon) as keyof typeof KINDS];
  const rest = inner.slice(colon + 1);
  const hash = kind === 'secrets-manager' ? rest.indexOf('#') : -1;
  return hash < 0 ? { kind, name: rest } : { kind, name: rest.slice(0, hash), key: rest.slice(hash + 1) } as SecretReference;
}

/** As it is written in `holdfast.yaml`. */
export function secretText(reference: SecretReference): string {
  const key = isRemote(reference) && reference.key !== undefined ? `#${reference.key}` : '';
  return `\${${WORDS[reference.kind]}:${reference.name}${key}}`;
}

export function isRemote(reference: SecretReference): reference is RemoteSecretReference {
  return reference.kind === 'secrets-manager' || reference.kind === 'ssm';
}

/**
 * The secret itself: a variable as it is, a file without the one line end that editors add. Fails with `missing-key` when
 * it is not there or empty; the message names the place and never the value.
 */
export function resolveSecret(reference: LocalSecretReference, places: SecretPlaces): string {
  const value = reference.kind === 'env' ? places.environment[reference.name] : readSecretFile(reference.name, places);
  if (value === undefined || value === '') {
    const where = reference.kind === 'env' ? `environment variable ${reference.name}` : `file ${reference.name}`;
    throw new HoldfastError('missing-key', `The secret ${secretText(reference)} is not there: ${where} is ${value === undefined ? 'not set' : 'empty'}, wanted a value.`, {
      nextStep: reference.kind === 'env' ? `Set ${reference.name} for this process and run the command again.` : `Write the secret to ${reference.name} with mode 0600.`,
    });
  }
  return value;
}

/** As `resolveSecret`, also for secrets in AWS where `places` can read them. */
export async function fetchSecret(reference: SecretReference, places: SecretPlaces): Promise<string> {
  if (!isRemote(reference)) return resolveSecret(reference, places);
  if (places.readRemote === undefined) {
    throw new HoldfastError('missing-key', `The secret ${secretText(reference)} lies in AWS, and nothing here asks AWS, wanted \${env:NAME} or \${file:path}.`, {
      nextStep: 'Write the secret into a file with mode 0600 and name it with ${file:path}.',
    });
  }
  const value = valueIn(reference, await places.readRemote(reference));
  if (value === '') throw new HoldfastError('missing-key', `The secret ${secretText(reference)} is empty, wanted a value.`, { nextStep: 'Give it a value in AWS.' });
  return value;
}

/** No message and no cause holds what was read: a parser's error would quote it. */
function valueIn(reference: RemoteSecretReference, text: string): string {
  if (reference.key === undefined) return text;
  const value = mapOf(text)?.[reference.key];
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  throw new HoldfastError('missing-key', `The secret ${secretText(reference)} is not there: ${mapOf(text) === undefined ? 'its text is no JSON map' : `its JSON map has no text under "${reference.key}"`}, wanted a value.`, {
    nextStep: `Look which keys the secret ${reference.name} has, and name one of them behind #.`,
  });
}

function mapOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === 'object' && json !== null && !Array.isArray(json) ? (json as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
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
