import * as z from 'zod';
import { isHexId, isUlid } from '../model/ids.ts';
import type { BackupId, PlanId } from '../model/ids.ts';

/** What a verification task is told to prove, in `HOLDFAST_VERIFY` (V4): one backup, as deep as its plan's policy wants. */
export interface VerifyOrder {
  readonly backupId: BackupId;
  readonly planId: PlanId;
  readonly planName: string;
  readonly vault: string;
  readonly level: 'structure' | 'sample' | 'full';
}

export const verifyOrder = z.strictObject({
  backupId: z.string().refine(isUlid, 'the id of a backup'),
  planId: z.string().refine(isHexId, 'the id of a plan'),
  planName: z.string(),
  vault: z.string().min(1),
  level: z.enum(['structure', 'sample', 'full']),
}) as unknown as z.ZodType<VerifyOrder>;
