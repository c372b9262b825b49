import { HoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';

/** Commands of the product that the kit has under the same name. */
const OWN = ['list', 'ls', 'cat', 'restore', 'verify', 'keys', 'read-paper'];

/** Where the product says what only the product can do. */
const NEXT_STEPS: Partial<Record<ErrorCode, string>> = {
  'vault-not-found': 'Give the folder that holds holdfast.json, keys/ and packs/ with --vault DIR. A vault in S3 is copied first: `aws s3 sync s3://BUCKET/PREFIX DIR`.',
  'unsupported-version': 'Use the newest script in the folder kit/ of this vault: an older one does not know this format. Nothing was written.',
  permission: 'Run as a user that may read the vault and write to the target.',
};

/** The same error in words of somebody who has the kit alone: next steps name its own commands. */
export function rewordFor(name: string): (error: HoldfastError) => HoldfastError {
  const inOwnWords = (text: string) => text.replaceAll('`holdfast keys read-paper', '`holdfast read-paper').replace(/`holdfast (\w+)([^`]*)`/g, (whole: string, command: string, rest: string) => (OWN.includes(command) ? `\`${name} ${command === 'keys' ? command : command + rest}\`` : whole));
  return (error) => {
    const { code, message, retryable, data, cause } = error;
    const given = error.nextStep === undefined ? undefined : inOwnWords(error.nextStep);
    const isOfProduct = given === undefined || given.includes('`holdfast ') || given.startsWith('Install the Holdfast');
    const nextStep = (isOfProduct ? NEXT_STEPS[code] : given) ?? (given?.includes('`holdfast ') ? undefined : given);
    return new HoldfastError(code, inOwnWords(message), { retryable, data, cause, ...(nextStep !== undefined && { nextStep }) });
  };
}
