import { createHmac } from 'node:crypto';
import type { PlanId } from '../model/ids.ts';

/**
 * Opaque name of a plan in the store (format §1): it tells nothing of the plan to who has no key, and every machine with
 * the key finds the same. `parts`: the name of a plan, or the absolute paths of a backup without one, in byte order.
 */
export function planIdOf(chunkerSecret: Uint8Array, parts: readonly string[]): PlanId {
  const mac = createHmac('sha256', chunkerSecret).update('plan');
  for (const part of parts) mac.update('\0').update(part, 'latin1');
  return mac.digest().subarray(0, 16).toString('hex') as PlanId;
}
