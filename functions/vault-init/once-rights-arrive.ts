import type { Clock } from '../../lib/model/clock.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';

/** IAM tells a policy that was just made to S3 and KMS within seconds, sometimes later. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 5_000;

/**
 * Does `work` again while it fails as `permission`, for a minute: roles that this deploy has made are not known everywhere
 * yet. `work` must be repeatable. Every other error, and the last `permission`, is thrown as it is.
 */
export async function onceRightsArrive<T>(work: () => Promise<T>, clock: Clock): Promise<T> {
  const until = clock.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isHoldfastError(error, 'permission') || clock.now() >= until) throw error;
      await clock.sleep(PAUSE_MS);
    }
  }
}
