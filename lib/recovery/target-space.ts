import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { HoldfastError } from '../model/errors.ts';
import type { RestorePlan } from './restore-plan.ts';

/** Bytes that this user may still write where `target` is or will be. */
export function freeBytesAt(target: string): number {
  let place = target;
  while (!existsSync(place)) place = dirname(place);
  const { bavail, bsize } = statfsSync(place, { bigint: true });
  return Number(bavail * bsize);
}

/**
 * What to tell before a restore starts when its target seems too small; undefined when it fits. No refusal: holes, links
 * and file systems that compress take less than the plan says.
 */
export function spaceWarning(plan: RestorePlan, freeBytes = freeBytesAt(plan.target)): string | undefined {
  const needed = plan.totals.create.bytes + plan.totals.overwrite.bytes;
  if (needed <= freeBytes) return undefined;
  return `${needed} bytes are to be written to ${plan.target}, and ${freeBytes} are free there: the restore may end for lack of space. What it writes until then stays, whole, and the same command goes on from there.`;
}

/** Names the target and the bytes it lacks; the code below knows one entry at a time. */
export function fullTarget(cause: HoldfastError, plan: RestorePlan, writtenBytes: number): HoldfastError {
  const left = Math.max(0, plan.totals.create.bytes + plan.totals.overwrite.bytes - writtenBytes);
  return new HoldfastError('no-space', `${cause.message} ${left} bytes are still to be written to ${plan.target}, ${freeBytesAt(plan.target)} are free there.`, { ...(cause.nextStep === undefined ? {} : { nextStep: cause.nextStep }), cause });
}
