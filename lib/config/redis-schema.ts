import * as z from 'zod';
import { USER_WANTED } from './connection-words.ts';
import { byteSize, oneOf, path, secret, strictMap, text, wholeNumber } from './schema-words.ts';
import type { SecretReference } from './secret-reference.ts';

/** A Redis or Valkey server, with every default filled in. */
export type ResolvedRedis = ResolvedServer<'redis'> | ResolvedServer<'valkey'>;

interface ResolvedServer<T extends 'redis' | 'valkey'> {
  readonly type: T;
  readonly host: string;
  readonly port: number;
  /** Absent: the user `default`. */
  readonly user?: string | SecretReference;
  /** Absent: none. */
  readonly password?: SecretReference;
  readonly sslMode?: 'disable' | 'require' | 'verify-full';
  /** PEM file. */
  readonly sslRootCert?: string;
  /** A smaller snapshot fails the run. */
  readonly minimumSizeBytes: number;
}

const fields = {
  host: text('a host name, or the path of a socket').meta({ description: 'A name or address, or the path of a Unix socket.' }),
  port: wholeNumber(1, 65_535).default(6379),
  user: z.union([secret, text(USER_WANTED).refine((value) => !value.startsWith('${'), { error: USER_WANTED })], { error: USER_WANTED }).optional().meta({ description: 'Of the ACL; without it the user default.' }),
  password: secret.optional().meta({ description: 'Where the password is.' }),
  'ssl-mode': oneOf(['disable', 'require', 'verify-full']).optional().meta({ description: 'When absent, the connection is not encrypted.' }),
  'ssl-root-cert': path.optional().meta({ description: 'PEM file of the authorities for verify-full; without it those that Node.js trusts.' }),
  'minimum-size': byteSize.default(1).meta({ description: 'A smaller snapshot fails the run.' }),
} as const;

const map = <T extends 'redis' | 'valkey'>(type: T) =>
  strictMap({ type: z.literal(type), ...fields }, `a ${type} source`).superRefine(({ user, password }, context) => {
    if (user !== undefined && password === undefined) context.addIssue({ code: 'custom', path: ['password'], message: 'a reference to the password of `user`' });
  });

export const redis = map('redis');
export const valkey = map('valkey');

export type RedisFields = z.output<typeof redis> | z.output<typeof valkey>;
