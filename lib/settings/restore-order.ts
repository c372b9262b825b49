import * as z from 'zod';
import type { ResolvedRestoreTarget } from '../config/resolved-aws.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import { isHexId, isUlid } from '../model/ids.ts';
import type { BackupId, PlanId } from '../model/ids.ts';

/**
 * What the restore task is told to do, in `HOLDFAST_RESTORE`. The check step makes it from the deployed configuration
 * and the catalog, so that a deploy between the check and the task changes nothing; nothing in it is secret.
 */
export interface RestoreOrder {
  /** Of the restore's record in the catalog. */
  readonly restoreId: string;
  readonly backupId: BackupId;
  readonly planId: PlanId;
  readonly planName: string;
  /** Name of the vault that holds it. */
  readonly vault: string;
  /** Name under `restoreTargets`. */
  readonly targetName: string;
  readonly target: ResolvedRestoreTarget;
  /** Of a backup of several sources: the one that is restored; absent: all of it. */
  readonly part?: string;
  /** As `selectEntries` reads them; empty: everything. */
  readonly select: readonly string[];
}

const reference = z.custom<SecretReference>((value) => typeof value === 'object' && value !== null && 'kind' in value && 'name' in value, 'a reference to a secret');
const mount = z.object({ path: z.string().startsWith('/'), fileSystem: z.string(), accessPoint: z.string().optional() });
const target = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('postgres'),
    host: z.string().min(1),
    port: z.number().int(),
    database: z.string().min(1),
    user: z.union([z.string(), reference]),
    password: reference.optional(),
    sslMode: z.enum(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']).optional(),
    sslRootCert: z.string().optional(),
    createDatabase: z.boolean(),
  }),
  z.object({ type: z.literal('directory'), path: z.string().startsWith('/'), mounts: z.array(mount) }),
]);

// An absent property and one that is undefined are the same once it went through JSON.
export const restoreOrder = z.strictObject({
  restoreId: z.string().min(1),
  backupId: z.string().refine(isUlid, 'the id of a backup'),
  planId: z.string().refine(isHexId, 'the id of a plan'),
  planName: z.string(),
  vault: z.string().min(1),
  targetName: z.string().min(1),
  target,
  part: z.string().min(1).optional(),
  select: z.array(z.string()),
}) as unknown as z.ZodType<RestoreOrder>;
