import { join } from 'node:path';
import { SeededRandom } from '../../simulation/dice.ts';
import type { OpenSuite } from '../long-suite.ts';
import { shrinkInput } from './shrink-input.ts';
import { USUAL_WEIGHT, complaintAbout } from './target.ts';
import type { FuzzTarget } from './target.ts';
import { exportTargets } from './targets-exports.ts';
import { plainTargets } from './targets-plain.ts';
import { sealedTargets } from './targets-sealed.ts';
import { openVectorVault } from './vector-vault.ts';

/** One case is one input of one decoder. */
export async function openFuzz(): Promise<OpenSuite> {
  const root = join(import.meta.dirname, '..', '..', '..');
  const vault = await openVectorVault(root);
  const targets = [...sealedTargets(vault), ...plainTargets(vault, root), ...(await exportTargets(vault))].flatMap((target) => Array.from({ length: target.weight ?? USUAL_WEIGHT }, () => target));
  return { tell: (seed) => tell(targets, seed) };
}

async function tell(targets: readonly FuzzTarget[], seed: number): Promise<void> {
  const target = targets[seed % targets.length] as FuzzTarget;
  const input = target.input(new SeededRandom(seed, target.name));
  const complaint = await complaintAbout(target, input);
  if (complaint === undefined) return;
  const minimal = await shrinkInput(input, async (candidate) => (await complaintAbout(target, candidate)) !== undefined);
  throw new Error(`${target.name}: ${(await complaintAbout(target, minimal)) ?? complaint}\ninput of ${minimal.length} bytes: ${Buffer.from(minimal).toString('hex')}`);
}
