import { createHmac, timingSafeEqual } from 'node:crypto';
import * as z from 'zod';
import { HoldfastError } from '../model/errors.ts';
import { checkVersion, damaged, quoted } from './format.ts';
import type { Subkeys } from './keys.ts';
import { parseJson } from './sealed-object.ts';

/** Lists of packs are not sealed: what no store can hold under such a name is damage here, and no riddle for the store later. */
const packName = z.string().max(400).regex(/^packs(\/[A-Za-z0-9_-][A-Za-z0-9._-]{0,254})+$/, 'a pack has a name that no pack can have');

/** A pack as refs list it: enough for copies, prune and a structure check without any key. */
const packRef = z.object({ name: packName, size: z.number().int().nonnegative(), sha256: z.string() });
export type PackRef = z.infer<typeof packRef>;

/**
 * A pack that another one stands for: entries that name `old` are read from `new`. `lost`: chunks that entries of this
 * backup need, that were lost with the pack of that name, and that nobody held when `new` was made.
 */
const replacement = z.object({ old: z.string(), new: z.string(), lost: z.object({ name: packName, chunks: z.number().int().positive() }).optional() });
export type Replacement = z.infer<typeof replacement>;

const refsSchema = z.object({
  format: z.number(),
  repository: z.string(),
  kind: z.enum(['refs', 'partial']),
  plan: z.string(),
  /** The backup (refs) or empty (partial). */
  backup: z.string(),
  run: z.string(),
  revision: z.number().int().nonnegative(),
  packs: z.array(packRef),
  index: z.array(z.string()).optional(),
  replaced: z.array(replacement),
  mac: z.string().optional(),
});

/** Which packs a backup needs (format §8). Not sealed: prune and copies read it without a key. */
export type Refs = z.infer<typeof refsSchema>;

export function encodeRefs(refs: Refs): Buffer {
  return Buffer.from(JSON.stringify(refs) + '\n', 'utf8');
}

export function decodeRefs(bytes: Uint8Array, name: string, repository?: string): Refs {
  const parsed = refsSchema.safeParse(parseJson(bytes, name));
  if (!parsed.success) throw damaged(`${name} is not a list of packs: ${parsed.error.issues[0]?.message ?? 'unreadable'}`);
  checkVersion(parsed.data.format, name);
  if (repository !== undefined && parsed.data.repository !== repository) {
    throw new HoldfastError('damaged', `${name} belongs to repository ${quoted(parsed.data.repository)}, wanted ${repository}.`);
  }
  return parsed.data;
}

/** More steps than healing and repacking take in the life of a vault: a ring of replacements ends here. */
const MAX_HOPS = 64;

/** From the pack id that stands in a record to the id of the pack to read: itself, or what replaced it. */
export function followReplaced({ replaced }: Pick<Refs, 'replaced'>): (id: string) => string {
  const pairs = new Map(replaced.map((pair) => [pair.old, pair.new]));
  return (id) => {
    let current = id;
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      const next = pairs.get(current);
      if (next === undefined) break;
      current = next;
    }
    return current;
  };
}

/** Signs a later revision (repacking, healing); revision 0 is bound by its digest in the manifest. */
export function signRefs(keys: Subkeys, name: string, refs: Refs): Refs {
  return { ...refs, mac: macOf(keys, name, refs).toString('base64') };
}

export function isSigned(keys: Subkeys, name: string, refs: Refs): boolean {
  const given = Buffer.from(refs.mac ?? '', 'base64');
  const wanted = macOf(keys, name, refs);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** Subkeys of the first key number: rotation must not orphan old signatures. */
function macOf(keys: Subkeys, name: string, refs: Refs): Buffer {
  // Parsed again: the schema fixes the order of the keys, whoever built the object.
  const { mac: _mac, ...rest } = refsSchema.parse(refs);
  return createHmac('sha256', keys.subkey('refs-mac', 1)).update(`${name}\0${JSON.stringify(rest)}`).digest();
}
