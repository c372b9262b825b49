import * as z from 'zod';
import { network, notifications, restoreTarget, stackPlanFields } from './aws-schema.ts';
import { hooks } from './hooks-schema.ts';
import { planPolicy, policy } from './policy-schema.ts';
import { named, strictMap, text } from './schema-words.ts';
import { planSource } from './set-schema.ts';
import { vault } from './vault-schema.ts';

const plan = strictMap({
  source: planSource,
  vault: text('the name of a vault').optional().meta({ description: 'May be left out when there is only one vault.' }),
  policy: planPolicy.optional().meta({ description: 'A ready-made policy (database, media, configs, logs), one from `policies`, or the fields themselves.' }),
  hooks: hooks.optional().meta({ description: 'Commands before and after each run, and when one fails.' }),
  ...stackPlanFields,
}, 'a plan: a map with "source", "vault" and "policy"');

/** All of `holdfast.yaml`. Paths are still as written; `resolve-plans.ts` makes them absolute. */
export const configSchema = strictMap({
  vaults: named('vaults', vault),
  policies: named('policies', policy).default({}).meta({ description: 'Policies of your own, for use by name.' }),
  plans: named('plans', plan).default({}),
  networks: named('networks', network).optional().meta({ description: 'Where tasks run in AWS. The network `default` is made by the stack unless it stands here.' }),
  'restore-targets': named('restore targets', restoreTarget).optional().meta({ description: 'What the restore workflow may restore into; nothing else is accepted.' }),
  notifications: notifications.optional().meta({ description: 'Who is told when something goes wrong in AWS.' }),
}, 'a map with "vaults" and "plans"');

export type { VaultFields } from './vault-schema.ts';
export type PlanFields = z.output<typeof plan>;
export type ConfigFields = z.output<typeof configSchema>;
