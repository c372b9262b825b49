import * as z from 'zod';
import { planPolicy, policy } from './policy-schema.ts';
import { named, path, secret, strictMap, text } from './schema-words.ts';
import { source } from './source-schema.ts';

const WRITER_ID_WANTED = 'writer id of 32 hexadecimal digits';
const writerId = z.string({ error: WRITER_ID_WANTED }).regex(/^[0-9a-f]{32}$/, { error: WRITER_ID_WANTED });
const KEYS = 'exactly one of key-file, passphrase-file, passphrase';

const vault = strictMap({
  directory: path.meta({ description: 'Where the vault is: a directory, relative to this file.' }),
  'key-file': path.optional().meta({ description: 'A file with the key; `holdfast init` makes one with mode 0600.' }),
  'passphrase-file': path.optional().meta({ description: 'A file whose first line is the passphrase.' }),
  passphrase: secret.optional().meta({ description: 'Where the passphrase is: ${env:NAME} or ${file:path}.' }),
  'trusted-writers': z.array(writerId, { error: `a list of ${WRITER_ID_WANTED}s` }).optional().meta({ description: 'Other machines whose packs backups from here reuse; whoever controls one of them can spoil what is reused.' }),
}, 'a vault: a map with "directory" and a key')
  .refine((value) => [value['key-file'], value['passphrase-file'], value.passphrase].filter((key) => key !== undefined).length === 1, { error: KEYS });

const plan = strictMap({
  source,
  vault: text('the name of a vault').optional().meta({ description: 'May be left out when there is only one vault.' }),
  policy: planPolicy.optional().meta({ description: 'A ready-made policy (database, media, configs, logs), one from `policies`, or the fields themselves.' }),
}, 'a plan: a map with "source", "vault" and "policy"');

/** All of `holdfast.yaml`. Paths are still as written; `resolve-plans.ts` makes them absolute. */
export const configSchema = strictMap({
  vaults: named('vaults', vault),
  policies: named('policies', policy).default({}).meta({ description: 'Policies of your own, for use by name.' }),
  plans: named('plans', plan).default({}),
}, 'a map with "vaults" and "plans"');

export type VaultFields = z.output<typeof vault>;
export type PlanFields = z.output<typeof plan>;
export type ConfigFields = z.output<typeof configSchema>;
