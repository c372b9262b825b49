import * as z from 'zod';
import { USER_WANTED } from './connection-words.ts';
import { oneOf, path, secret, strictMap, text, texts, yesOrNo } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

export const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** As brokers call it. */
export type SaslMechanism = Uppercase<(typeof SASL_MECHANISMS)[number]>;

/** How a Kafka cluster is reached. */
export interface ResolvedKafkaPlace {
  readonly brokers: readonly { readonly host: string; readonly port: number }[];
  readonly sasl?: { readonly mechanism: SaslMechanism; readonly user: string | SecretReference; readonly password: SecretReference };
  readonly tls: boolean;
  /** PEM file. */
  readonly caFile?: string;
}

/** Topics of a cluster, with every default filled in. */
export interface ResolvedKafka extends ResolvedKafkaPlace {
  readonly type: 'kafka';
  readonly topics: readonly string[] | 'all';
  readonly excludeTopics: readonly string[];
  readonly groups: readonly string[] | 'all' | 'none';
  readonly holes: 'refuse' | 'warn';
}

const BROKER_WANTED = 'HOST:PORT of a broker, such as kafka-1.internal:9092';
const BROKER = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]/\s]+)):(\d{1,5})$/;
const TOPICS_WANTED = 'all, or a list of names of topics, with * and ? for others';
const GROUPS_WANTED = 'all, none, or a list of names of consumer groups, with * and ? for others';

/** Host and port of a broker as people write it; undefined when it is none. */
export function parseBroker(written: string): { readonly host: string; readonly port: number } | undefined {
  const [, address, name, port] = BROKER.exec(written) ?? [];
  const host = address ?? name;
  const number = Number(port);
  return host === undefined || number < 1 || number > 65_535 ? undefined : { host, port: number };
}

const broker = text(BROKER_WANTED).refine((value) => parseBroker(value) !== undefined, { error: BROKER_WANTED }).meta({ description: 'HOST:PORT.' });
const userOrSecret = z.union([secret, text(USER_WANTED).refine((value) => !value.startsWith('${'), { error: USER_WANTED })], { error: USER_WANTED });

export const kafka = strictMap({
  type: z.literal('kafka'),
  brokers: z.array(broker, { error: 'a list of HOST:PORT' }).min(1, { error: 'at least one broker' }).meta({ description: 'Brokers to begin with; the others of the cluster are learned from them.' }),
  topics: z.union([z.literal('all'), texts('name of a topic').min(1, { error: TOPICS_WANTED })], { error: TOPICS_WANTED }).default('all').meta({ description: 'Names, with * and ? for others, or all that the user may see, but the cluster\'s own.' }),
  'exclude-topics': texts('name of a topic').optional().meta({ description: 'Topics that are left out; wins over topics.' }),
  groups: z.union([z.enum(['all', 'none']), texts('name of a consumer group').min(1, { error: GROUPS_WANTED })], { error: GROUPS_WANTED }).default('all').meta({ description: 'Consumer groups whose committed offsets are kept.' }),
  sasl: oneOf(SASL_MECHANISMS).optional().meta({ description: 'How to authenticate, with user and password.' }),
  user: userOrSecret.optional(),
  password: secret.optional().meta({ description: 'Where the password is.' }),
  tls: yesOrNo().default(false).meta({ description: 'Encrypt, and verify the certificate of each broker.' }),
  'ca-file': path.optional().meta({ description: 'PEM file of the authorities to trust, instead of those of the machine.' }),
  holes: oneOf(['refuse', 'warn']).default('refuse').meta({ description: 'What an offset without a record means in a topic that is not compacted. warn: for topics that were compacted once.' }),
}, 'a kafka source').superRefine((fields, context) => {
  const { sasl, user, password, tls } = fields;
  const isWhole = (sasl === undefined) === (user === undefined) && (sasl === undefined) === (password === undefined);
  if (!isWhole) context.addIssue({ code: 'custom', path: ['sasl'], message: '`sasl`, `user` and `password`, or none of them' });
  if (fields['ca-file'] !== undefined && !tls) context.addIssue({ code: 'custom', path: ['ca-file'], message: '`tls: true` beside it' });
});

export type KafkaFields = z.output<typeof kafka>;
