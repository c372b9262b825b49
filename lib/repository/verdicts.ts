import * as z from 'zod';
import { isHoldfastError } from '../model/errors.ts';
import { newUlid } from '../model/ids.ts';
import { damaged, quoted } from './format.ts';
import { names } from './names.ts';
import type { Repository } from './repository.ts';
import { openJson, sealJson } from './sealed-object.ts';

/** `commit` says only that the snapshot was stored in time (format §12); the others are what `verify` read. */
export const VERDICT_LEVELS = ['commit', 'structure', 'sample', 'full'] as const;
export type VerdictLevel = (typeof VERDICT_LEVELS)[number];

const verdictSchema = z.object({
  backup: z.string(),
  level: z.enum(VERDICT_LEVELS),
  result: z.enum(['good', 'corrupted', 'void']),
  /** The store's time, milliseconds. */
  at: z.number().int(),
  /** Objects and what was seen in them. */
  damaged: z.array(z.object({ name: z.string(), problem: z.string() })),
  /** Which part of the rotation a sample read: the next one takes the next part. */
  sample: z.object({ part: z.number().int().nonnegative(), parts: z.number().int().positive() }).optional(),
});

/** What was found out about a backup, kept in the vault so that it outlives the catalog (format §9). */
export type Verdict = z.infer<typeof verdictSchema>;

export interface Verdicts {
  /** Oldest first, by the store's time. */
  readonly verdicts: readonly Verdict[];
  /** Names of verdicts that do not open. */
  readonly unreadable: readonly string[];
}

/** Records a verdict now, by the store's clock. */
export async function writeVerdict(repository: Repository, found: Omit<Verdict, 'at'>, random?: (size: number) => Uint8Array): Promise<Verdict> {
  const at = await repository.store.now();
  const verdict = verdictSchema.parse({ ...found, at });
  const name = names.verdict(verdict.backup, newUlid(at, random));
  await repository.store.put(name, sealJson(repository.keys, 'verdict', name, verdict, repository.cipher, random));
  return verdict;
}

export async function readVerdicts(repository: Repository, backup: string): Promise<Verdicts> {
  const verdicts: Verdict[] = [];
  const unreadable: string[] = [];
  for await (const { name } of repository.store.list(`verdicts/${backup}/`)) {
    try {
      verdicts.push(openVerdict(repository, name, await repository.store.get(name)));
    } catch (error) {
      if (!isHoldfastError(error, 'damaged')) throw error;
      unreadable.push(name);
    }
  }
  return { verdicts: verdicts.sort((a, b) => a.at - b.at), unreadable };
}

/**
 * Levels of a later `good` that lift a `corrupted`: what read less, or another sample, cannot have seen the damage again.
 */
const LIFTED_BY: Readonly<Record<VerdictLevel, readonly VerdictLevel[]>> = {
  commit: ['structure', 'sample', 'full'],
  structure: ['structure', 'sample', 'full'],
  sample: ['full'],
  full: ['full'],
};

/**
 * The verdict that counts: `void` is final; else the newest `corrupted` that no later `good` of enough depth has lifted;
 * else the newest. Undefined when nobody has judged yet.
 */
export function standingVerdict({ verdicts }: Verdicts): Verdict | undefined {
  const final = verdicts.find((verdict) => verdict.result === 'void');
  if (final) return final;
  const corrupted = verdicts.findLast((verdict, position) => verdict.result === 'corrupted' && !verdicts.slice(position).some((later) => later.result === 'good' && LIFTED_BY[verdict.level].includes(later.level)));
  return corrupted ?? verdicts.findLast((verdict) => verdict.level !== 'commit') ?? verdicts.at(-1);
}

/** One stored verdict; `damaged` when it is not the one that its name says. */
export function openVerdict({ keys }: Pick<Repository, 'keys'>, name: string, stored: Uint8Array): Verdict {
  const backup = name.split('/')[1];
  const parsed = verdictSchema.safeParse(openJson(keys, 'verdict', name, stored));
  if (!parsed.success) throw damaged(`${name} is not a verdict: ${parsed.error.issues[0]?.message ?? 'unreadable'}`);
  if (parsed.data.backup !== backup) throw damaged(`${name} holds the verdict of ${quoted(parsed.data.backup)}`);
  return parsed.data;
}
