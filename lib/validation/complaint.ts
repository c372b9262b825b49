import { VERDICT_LEVELS, standingVerdict } from '../repository/index.ts';
import type { Manifest, Verdict, Verdicts } from '../repository/index.ts';

/**
 * Why a backup is not good (format §10) as far as the newest word about it goes; undefined when nothing is known against
 * it. Neither packs nor the time of its snapshot are looked at.
 */
export function complaintOf(manifest: Manifest, verdicts: Verdicts): string | undefined {
  const verdict = standingVerdict(verdicts);
  if (verdict?.result === 'corrupted') return `verification at level ${verdict.level} found ${verdict.damaged.length} damaged objects.`;
  if (verdict?.result === 'void') return 'it was stored too late to be trusted.';
  return unkeptPromise(manifest, verdicts.verdicts);
}

/** What the policy of its plan asks of a backup before it counts as good. */
function unkeptPromise({ policy, warnings }: Manifest, verdicts: readonly Verdict[]): string | undefined {
  if (policy === undefined) return undefined;
  if (!policy.warningsAreGood && warnings.length > 0) return `it ended with ${warnings.length} warnings, and the policy of its plan does not take that for good.`;
  const wanted = VERDICT_LEVELS.findIndex((level) => level === policy.verification);
  const isVerified = verdicts.some(({ level, result }) => result === 'good' && VERDICT_LEVELS.indexOf(level) >= wanted);
  return wanted < 0 || isVerified ? undefined : `the verification that the policy of its plan wants (${policy.verification}) has not passed.`;
}
