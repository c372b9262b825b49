import { createHash } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/**
 * The id of the restore that an execution carries out: the same for every state of it, however often each is tried, and
 * for whoever started it and wants to watch. 26 characters.
 */
export function restoreIdOf(executionArn: string): string {
  const bytes = createHash('sha256').update(`holdfast/1/restore\0${executionArn}`).digest();
  return Array.from(bytes.subarray(0, 26), (byte) => DIGITS[byte % DIGITS.length]).join('');
}
