import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SASL_MECHANISMS, parseBroker } from '../config/kafka-schema.ts';
import type { ResolvedKafkaPlace } from '../config/kafka-schema.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import { HoldfastError } from '../model/errors.ts';
import type { KafkaLoaderOptions } from '../sources/kafka/loader.ts';
import type { KafkaPlace, SaslMechanism } from '../sources/kafka/place.ts';

/** Secrets are fetched now, at the moment of use, and stay in this process. Fails as `missing-key`, `config-invalid`. */
export async function kafkaPlaceOf({ brokers, sasl, tls, caFile }: ResolvedKafkaPlace, read: (reference: SecretReference) => Promise<string>): Promise<KafkaPlace> {
  return {
    brokers,
    ...(sasl && { sasl: { mechanism: sasl.mechanism, user: typeof sasl.user === 'string' ? sasl.user : await read(sasl.user), password: await read(sasl.password) } }),
    ...(tls && { tls: { ...(caFile !== undefined && { ca: await authoritiesIn(caFile) }) } }),
  };
}

async function authoritiesIn(path: string): Promise<string> {
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new HoldfastError('config-invalid', `The authorities in ${path} cannot be read: ${(cause as Error).message}.`, { nextStep: 'Name a PEM file in `ca-file`, or leave it away: then those of the machine are trusted.', cause });
  });
}

export const KAFKA_URL = 'kafka://[USER@]HOST:PORT[,HOST:PORT]/ with ?prefix=, &group-prefix=, &groups=none, &retention=unlimited, &replication-factor=, &sasl=, &tls=yes, &ca-file= if need be';
const WORDS = ['prefix', 'group-prefix', 'groups', 'retention', 'replication-factor', 'sasl', 'tls', 'ca-file'];
const TOPIC_START = /^[A-Za-z0-9._-]*$/;

/** A cluster as the command line names it. Fails as `usage`. */
export async function parseKafkaUrl(text: string, password: string | undefined, workingFolder: string): Promise<Omit<KafkaLoaderOptions, 'clock'>> {
  const [, user, hosts = '', query = ''] = /^kafka:\/\/(?:([^@/?#]*)@)?([^/?#@]+)\/?(?:\?([^#]*))?$/.exec(text) ?? [];
  const words = new URLSearchParams(query);
  const brokers = hosts.split(',').map((host) => parseBroker(/:\d+$/.test(host) ? host : `${host}:9092`));
  const mechanism = words.get('sasl') ?? (user === undefined ? undefined : 'scram-sha-512');
  const copies = words.get('replication-factor');
  const wrong = brokers.includes(undefined) ? 'the brokers' : [...words.keys()].find((key) => !WORDS.includes(key))
    ?? (mechanism !== undefined && !SASL_MECHANISMS.some((known) => known === mechanism) ? 'sasl' : undefined)
    ?? (copies !== null && !/^[1-9]\d?$/.test(copies) ? 'replication-factor' : undefined)
    ?? (!['all', 'none', null].includes(words.get('groups')) ? 'groups' : undefined)
    ?? (!['original', 'unlimited', null].includes(words.get('retention')) ? 'retention' : undefined)
    ?? (!['yes', 'no', null].includes(words.get('tls')) ? 'tls' : undefined)
    ?? (!TOPIC_START.test(words.get('prefix') ?? '') ? 'prefix' : undefined);
  if (wrong !== undefined) throw new HoldfastError('usage', `--to-database is ${JSON.stringify(text)}, and ${wrong} is wrong there, wanted ${KAFKA_URL}.`, { nextStep: 'The password comes from --password-file or HOLDFAST_DATABASE_PASSWORD.' });
  if (mechanism !== undefined && (user === undefined || password === undefined)) throw new HoldfastError('missing-key', `--to-database wants ${mechanism} at ${hosts}, and ${user === undefined ? 'names no user' : 'no password was given'}.`, { nextStep: 'Write kafka://USER@HOST:PORT and give the password with --password-file or HOLDFAST_DATABASE_PASSWORD.' });
  const caFile = words.get('ca-file');
  return {
    place: {
      brokers: brokers.filter((broker) => broker !== undefined),
      ...(mechanism !== undefined && user !== undefined && password !== undefined && { sasl: { mechanism: mechanism.toUpperCase() as SaslMechanism, user: decodeURIComponent(user), password } }),
      ...((words.get('tls') === 'yes' || caFile !== null) && { tls: { ...(caFile !== null && { ca: await authoritiesIn(resolve(workingFolder, caFile)) }) } }),
    },
    prefix: words.get('prefix') ?? '',
    groupPrefix: words.get('group-prefix') ?? '',
    isWithoutGroups: words.get('groups') === 'none',
    isKeepingAll: words.get('retention') === 'unlimited',
    ...(copies !== null && { replicationFactor: Number(copies) }),
  };
}
