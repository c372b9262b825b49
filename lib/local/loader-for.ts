import { join, resolve } from 'node:path';
import type { Config } from '../config/load-config.ts';
import { resolveConnection } from '../config/resolve-plans.ts';
import { HoldfastError } from '../model/errors.ts';
import type { DatabaseLoader } from '../sources/database-loader.ts';
import { MariadbLoader } from '../sources/mariadb/loader.ts';
import { SearchLoader } from '../sources/search/loader.ts';
import { PostgresLoader } from '../sources/postgres/loader.ts';
import { RedisDirectoryLoader } from '../sources/redis/directory-loader.ts';
import { RedisLoader } from '../sources/redis/loader.ts';
import { findConfig } from './configuration.ts';
import { KAFKA_URL, parseKafkaUrl } from './kafka-places.ts';
import { MARIADB_URL, mariadbPlaces, parseMariadbUrl } from './mariadb-places.ts';
import { MONGODB_URL, parseMongodbUrl } from './mongodb-places.ts';
import { POSTGRES_URL, connectionOf, parsePostgresUrl, postgresPlaces } from './postgres-places.ts';
import { REDIS_SCHEMES, REDIS_URL, parseRedisDirectory, parseRedisUrl } from './redis-places.ts';
import { SEARCH_URL, parseSearchUrl } from './search-places.ts';
import type { DatabaseRequest } from './restore-database.ts';
import type { LocalContext } from './vault.ts';

export interface ChosenLoader {
  readonly loader: DatabaseLoader;
  /** The declared target is to be made. */
  readonly isCreating: boolean;
}

/** `given`: the password of the request; wins over the one of a declared target when it comes from a file. */
type UrlLoader = (text: string, given: GivenPassword | undefined, context: LoaderPlaces) => DatabaseLoader | Promise<DatabaseLoader>;

/** Archives lie below `scratchFolder` in plain while a program reads them. */
type LoaderPlaces = LocalContext & { readonly scratchFolder: string };

interface GivenPassword {
  readonly password: string;
  readonly isFromFile: boolean;
}

const PASSWORD = 'HOLDFAST_DATABASE_PASSWORD';
const BY_SCHEME: Readonly<Record<string, UrlLoader>> = { postgres: postgresByUrl, postgresql: postgresByUrl, mariadb: sqlByUrl, mysql: sqlByUrl, mongodb: mongodbByUrl, 'mongodb+srv': mongodbByUrl, http: searchByUrl, https: searchByUrl, kafka: kafkaByUrl, ...Object.fromEntries(REDIS_SCHEMES.map((scheme) => [scheme, redisByUrl])), 'redis-directory': redisDirectory };
const URLS_WANTED = [POSTGRES_URL, MARIADB_URL, MONGODB_URL, SEARCH_URL, KAFKA_URL, REDIS_URL];

/** The loader of a URL, by its scheme, or of a declared target, by its type. Fails as `usage`, `not-found`, `missing-key`. */
export async function loaderFor(request: DatabaseRequest, stateFolder: string, context: LocalContext): Promise<ChosenLoader> {
  const places = { ...context, scratchFolder: join(stateFolder, 'scratch') };
  const given = await givenPassword(request, context.environment);
  if (request.target === undefined) return { loader: await byUrl(request.url ?? '', given, places), isCreating: false };
  const { config, fields } = declaredTarget(request.target, await findConfig(context.environment, request.config));
  switch (fields.type) {
    case 'postgres': {
      const connection = await connectionOf(resolveConnection(config, fields), context.environment);
      return { loader: postgres({ ...connection, ...chosenPassword(connection.password, given) }, places), isCreating: fields['create-database'] };
    }
    case 'directory':
      throw new HoldfastError('usage', `The restore target ${request.target} is of type ${fields.type}, wanted a database.`, { nextStep: 'Restore into a directory with --to DIR.' });
  }
}

/** A password in a URL is refused, and not repeated: every user of the machine sees the arguments of a command. */
async function byUrl(text: string, given: GivenPassword | undefined, context: LoaderPlaces): Promise<DatabaseLoader> {
  if ((URL.canParse(text) && new URL(text).password) || /^[^?#]*:\/\/[^@/]*:[^@/]*@/.test(text)) throw new HoldfastError('usage', 'The URL of --to-database holds a password, and every user of this machine can see it there.', { nextStep: 'Leave it away and use --password-file, HOLDFAST_DATABASE_PASSWORD or ~/.pgpass; and change this password.' });
  // Several hosts, as MongoDB and Kafka have them, are no URL to the standard.
  const make = BY_SCHEME[/^([a-z+-]+):/.exec(text)?.[1] ?? ''];
  if (make !== undefined) return make(text, given, context);
  throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, wanted ${URLS_WANTED.join(' or ')}.`, { nextStep: 'The password comes from --password-file, HOLDFAST_DATABASE_PASSWORD or ~/.pgpass.' });
}

function postgresByUrl(text: string, given: GivenPassword | undefined, context: LoaderPlaces): DatabaseLoader {
  return postgres({ ...parsePostgresUrl(text), ...chosenPassword(undefined, given) }, context);
}

function postgres(connection: ReturnType<typeof parsePostgresUrl>, { environment, clock, scratchFolder }: LoaderPlaces): DatabaseLoader {
  return new PostgresLoader({ connection, ...postgresPlaces(environment), scratchFolder, clock });
}

function sqlByUrl(text: string, given: GivenPassword | undefined, { environment, clock }: LocalContext): DatabaseLoader {
  const { type, database, connection } = parseMariadbUrl(text);
  return new MariadbLoader({ type, database, connection: { ...connection, ...chosenPassword(undefined, given) }, ...mariadbPlaces(environment), clock });
}

async function mongodbByUrl(text: string, given: GivenPassword | undefined): Promise<DatabaseLoader> {
  const { database, connection } = parseMongodbUrl(text);
  const { MongodbLoader } = await import('../sources/mongodb/loader.ts');
  return new MongodbLoader({ database, connection: { ...connection, ...chosenPassword(undefined, given) } });
}

/** Without a user the password is an API key. */
function searchByUrl(text: string, given: GivenPassword | undefined, { environment, clock }: LocalContext): DatabaseLoader {
  const { connection, rename } = parseSearchUrl(text, environment);
  const { password } = chosenPassword(undefined, given);
  const secret = password === undefined ? {} : connection.user === undefined ? { apiKey: password } : { password };
  return new SearchLoader({ connection: { ...connection, ...secret }, rename, clock });
}

async function kafkaByUrl(text: string, given: GivenPassword | undefined, { environment, clock }: LocalContext): Promise<DatabaseLoader> {
  const { KafkaLoader } = await import('../sources/kafka/loader.ts');
  return new KafkaLoader({ ...(await parseKafkaUrl(text, given?.password, environment.workingFolder)), clock });
}

function redisByUrl(text: string, given: GivenPassword | undefined, { clock }: LocalContext): DatabaseLoader {
  const { database, connection } = parseRedisUrl(text);
  return new RedisLoader({ database, connection: { ...connection, ...chosenPassword(undefined, given) }, clock });
}

function redisDirectory(text: string, _given: GivenPassword | undefined, { environment }: LocalContext): DatabaseLoader {
  return new RedisDirectoryLoader({ directory: parseRedisDirectory(text, environment) });
}

async function givenPassword({ passwordFile }: DatabaseRequest, { variables, workingFolder }: LocalContext['environment']): Promise<GivenPassword | undefined> {
  if (passwordFile !== undefined) {
    const { readSecretFile } = await import('../keyring/secret-file.ts');
    const [password = ''] = (await readSecretFile(resolve(workingFolder, passwordFile), 'password file')).toString('utf8').split(/\r?\n/);
    return { password, isFromFile: true };
  }
  const password = variables[PASSWORD];
  return password === undefined || password === '' ? undefined : { password, isFromFile: false };
}

function chosenPassword(declared: string | undefined, given: GivenPassword | undefined): { readonly password?: string } {
  const password = given?.isFromFile ? given.password : (declared ?? given?.password);
  return password === undefined ? {} : { password };
}

function declaredTarget(name: string, config: Config | undefined) {
  const targets = config?.fields['restore-targets'] ?? {};
  const fields = targets[name];
  if (config !== undefined && fields !== undefined) return { config, fields };
  throw new HoldfastError('not-found', `No restore target is called ${name}${config === undefined ? ': there is no holdfast.yaml' : ` in ${config.file}`}.`, { nextStep: `Declared: ${Object.keys(targets).join(', ') || 'none'}. Or name the database itself: --to-database postgres://USER@HOST/DATABASE.` });
}
