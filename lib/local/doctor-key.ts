import { stat } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { KeySlot } from '../keyring/key-slot.ts';
import type { ProbeFinding } from '../stores/probe.ts';
import type { DoctorCheck } from './doctor-vault.ts';
import type { VaultChoice } from './vault-choice.ts';

/** What becomes of the vault when its key is lost or taken. `slots`: all readable ones. */
export function keyChecks(choice: VaultChoice, slots: readonly KeySlot[]): readonly DoctorCheck[] {
  return [
    { check: 'has a second', run: () => second(slots) },
    { check: 'lies apart from the vault', run: () => apart(choice) },
    { check: 'is in a safe folder', run: () => folder(choice) },
  ];
}

/** A slot for metadata alone does not bring a backup back. */
function second(slots: readonly KeySlot[]): ProbeFinding | undefined {
  const current = Math.max(...slots.map(({ keyNumber }) => keyNumber));
  const whole = slots.filter(({ keyNumber, wrapped }) => keyNumber === current && wrapped.data !== undefined);
  const words = whole.map(({ kind, label }) => `${kind}${label === '' ? '' : ` ${label}`}`).join(', ');
  if (whole.length > 1) return { result: 'ok', seen: `${whole.length} slots open everything: ${words}` };
  return { result: 'warning', seen: `one slot opens new backups (${words}): when that key is lost, so is everything`, nextStep: 'Add a second: a key on paper (`holdfast keys make-recipient FILE`, then `recipients` of the vault in holdfast.yaml), or `holdfast keys add --new-passphrase-file FILE`.' };
}

function apart({ key, directory, s3 }: VaultChoice): ProbeFinding | undefined {
  if (s3 !== undefined || !('path' in key)) return undefined;
  const below = relative(directory, key.path);
  if (below.startsWith('..') || below.startsWith('/')) return undefined;
  return { result: 'warning', seen: `${key.path} lies in the vault that it opens: who gets the vault gets the key, and both are lost together`, nextStep: 'Move it to another place, and name it with --key-file or in holdfast.yaml.' };
}

const OTHERS_MAY_WRITE = 0o002;
const STICKY = 0o1000;

/** Its own mode is judged where it is opened; who may write to its folder can put another one there. */
async function folder({ key }: VaultChoice): Promise<ProbeFinding | undefined> {
  if (!('path' in key)) return undefined;
  const place = dirname(key.path);
  const mode = await stat(place).then((found) => found.mode, () => 0);
  if ((mode & OTHERS_MAY_WRITE) === 0 || (mode & STICKY) !== 0) return undefined;
  return { result: 'warning', seen: `everybody may write to ${place} (mode ${(mode & 0o7777).toString(8)}), and so replace the key`, nextStep: `chmod o-w ${place}` };
}
