import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';

export interface FailurePlace {
  /** For people. */
  readonly server: string;
  readonly user: string | undefined;
  readonly secrets: readonly string[];
}

interface Said {
  readonly text: string;
  /** Number of the server's error codes; undefined when the driver speaks. */
  readonly number: number | undefined;
  /** Class of the driver's errors. */
  readonly kind: string;
}

interface FailureRow {
  readonly fits: (said: Said) => boolean;
  readonly code?: ErrorCode;
  readonly retryable?: boolean;
  readonly message: (at: FailurePlace, said: string) => string;
  readonly nextStep: string;
}

const numbered = (...numbers: readonly number[]) => ({ number }: Said) => number !== undefined && numbers.includes(number);
const ofKind = (pattern: RegExp) => ({ kind }: Said) => pattern.test(kind);
const AGAIN = 'Nothing of this run is kept. Look into the log of the server for why, and start again.';

/** Numbers as in the server's error_codes.yml, where they never change their meaning. */
const ROWS: readonly FailureRow[] = [
  {
    fits: numbered(18, 11, 334),
    message: ({ server, user }, said) => `The server at ${server} does not let ${user === undefined ? 'this user' : `user ${user}`} in: ${said}`,
    nextStep: 'Check the user, its authentication database (authSource in the URI, admin by default), and where its password comes from.',
  },
  {
    fits: numbered(13),
    code: 'permission',
    message: ({ server, user }, said) => `${user === undefined ? 'This user' : `User ${user}`} may not do what this needs at ${server}: ${said}`,
    nextStep: 'Grant what is missing; docs/sources/mongodb.md names the roles: `backup` for a backup, `restore` for a restore. Leave out on purpose what may not be read, with exclude-collections.',
  },
  {
    fits: numbered(43, 237, 175, 50, 262, 46841),
    retryable: true,
    message: ({ server }, said) => `The server at ${server} gave up a cursor before all documents were read: ${said}`,
    nextStep: 'Nothing of this run is kept. Start again; if it comes back, look for who kills operations or drops collections, and for cursorTimeoutMillis and maxTimeMS on the server.',
  },
  {
    fits: numbered(91, 11600, 11602, 10107, 13435, 13436, 189, 6, 7, 89, 9001),
    retryable: true,
    message: ({ server }, said) => `The server at ${server} went away or changed its role meanwhile: ${said}`,
    nextStep: AGAIN,
  },
  {
    fits: numbered(26, 10003),
    message: ({ server }, said) => `The server at ${server} has no such collection any more: ${said}`,
    nextStep: AGAIN,
  },
  {
    fits: numbered(11000, 11001),
    code: 'target-failed',
    message: ({ server }, said) => `Documents are not as unique as an index at ${server} wants them: ${said}`,
    nextStep: 'What was there is there still. The backup was taken while documents were moved, or the index was not unique when it was made; restore into a new database without that index (export the backup and use mongorestore --noIndexRestore), and mend the documents.',
  },
  {
    fits: ({ kind, text }) => /ServerSelection|MongoNetwork|PoolCleared|ConnectionPool/.test(kind) && /certificate|self[- ]signed|SSL|TLS|ERR_TLS/i.test(text),
    message: ({ server }, said) => `The connection to ${server} could not be encrypted as the URI wants it: ${said}`,
    nextStep: 'Check tls in the URI, and that ca-file is the certificate of the authority that signed the server\'s.',
  },
  {
    fits: ofKind(/ServerSelection/),
    retryable: true,
    message: ({ server }, said) => `No server can be reached at ${server}: ${said}`,
    nextStep: 'Check hosts, ports and replicaSet in the URI, that the server runs and listens there, and that no firewall or security group stands between.',
  },
  {
    fits: ofKind(/MongoNetwork|PoolCleared|ConnectionPool|TopologyClosed|MongoClientClosed|NotConnected|ServerClosed|ExpiredSession/),
    retryable: true,
    message: ({ server }, said) => `The connection to ${server} broke: ${said}`,
    nextStep: AGAIN,
  },
  {
    fits: ofKind(/Compatibility/),
    code: 'unsupported',
    message: ({ server }, said) => `The server at ${server} is too old or too new: ${said}`,
    nextStep: 'Servers from MongoDB 4.2 on are spoken to.',
  },
  {
    fits: ofKind(/Parse|InvalidArgument|MongoAPI|MissingDependency|MissingCredentials/),
    code: 'config-invalid',
    message: ({ server }, said) => `The connection to ${server} is described wrongly: ${said}`,
    nextStep: 'Correct the URI: mongodb://HOST:PORT,HOST:PORT/?replicaSet=NAME, or mongodb+srv://HOST/.',
  },
];

/** What somebody who reads the message needs to mend it, in the words of the server or the driver, without secrets. */
export function mongoFailure(cause: unknown, place: FailurePlace): HoldfastError {
  const said = saidBy(cause, place.secrets);
  const row = ROWS.find(({ fits }) => fits(said));
  const words = said.number === undefined ? said.text : `${said.text} (${said.number})`;
  const { code = 'source-failed', retryable = false } = row ?? {};
  // The driver's own error is no cause: it carries the options of the client, the password among them.
  return new HoldfastError(code, sentence(row?.message(place, words) ?? `The server at ${place.server} answered: ${words}`), { retryable, nextStep: row?.nextStep ?? AGAIN });
}

function saidBy(cause: unknown, secrets: readonly string[]): Said {
  const { name, message, code, cause: deeper } = cause as { name?: unknown; message?: unknown; code?: unknown; cause?: unknown };
  const inner = deeper instanceof Error && typeof message === 'string' && !message.includes(deeper.message) ? `: ${deeper.message}` : '';
  const text = `${typeof message === 'string' ? message : String(cause)}${inner}`;
  const number = Number(code);
  return { text: without(secrets, text.replace(/\s+/g, ' ').trim()), number: code !== undefined && Number.isInteger(number) ? number : undefined, kind: typeof name === 'string' ? name : '' };
}

export function without(secrets: readonly string[], text: string): string {
  return secrets.reduce((left, secret) => left.replaceAll(secret, '…'), text);
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
