const ARN = /^arn:[a-z-]+:kms:([a-z0-9-]+):\d{12}:key\/(.+)$/;

/** Keys of several regions with the same id and material: https://docs.aws.amazon.com/kms/latest/developerguide/multi-region-keys-overview.html */
const MULTI_REGION = 'mrk-';

/**
 * The ARN by which a key is reached from a region: itself in its own, its replica for a multi-region key, undefined when
 * it lies elsewhere. Any key when no region is given.
 */
export function keyInRegion(arn: string, region: string | undefined): string | undefined {
  const [, home, id] = ARN.exec(arn) ?? [];
  if (region === undefined || home === undefined || home === region) return arn;
  return id?.startsWith(MULTI_REGION) ? arn.replace(`:kms:${home}:`, `:kms:${region}:`) : undefined;
}

/** The same key, or replicas of one multi-region key. */
export function isSameKey(left: string, right: string): boolean {
  if (left === right) return true;
  const [leftId, rightId] = [left, right].map((arn) => ARN.exec(arn)?.[2]);
  return leftId !== undefined && leftId === rightId && leftId.startsWith(MULTI_REGION);
}
