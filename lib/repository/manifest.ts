import * as z from 'zod';
import type { CipherName } from './format.ts';
import { checkVersion, damaged, quoted } from './format.ts';
import type { Subkeys } from './keys.ts';
import { names } from './names.ts';
import { openJson, sealJson } from './sealed-object.ts';

/** One tree chunk in a root's sparse index; `first` is a byte string in base64, `id` hexadecimal. */
const treeChunkRef = z.object({ first: z.string(), id: z.string().regex(/^[0-9a-f]{64}$/), pack: z.string(), length: z.number().int().positive() });

/** A stream of the entry tree (format §7). `packs`: ids of all packs that its chunks and entries need, perhaps more. */
const treeRoot = z.object({
  chunks: z.array(treeChunkRef),
  packs: z.array(z.string()),
  records: z.number().int().nonnegative(),
  bytes: z.number().int().nonnegative(),
});
export type TreeRoot = z.infer<typeof treeRoot>;

/** One that is none would end in every catalog and list that is made of manifests. */
const time = z.string().refine((text) => !Number.isNaN(Date.parse(text)), 'wanted a time');

const statistics = z.object({
  /** Whole numbers: catalogs keep them as such. */
  entries: z.number().int(),
  files: z.number().int(),
  directories: z.number(),
  /** Plain bytes of all files. */
  bytes: z.number().int(),
  newFiles: z.number(),
  changedFiles: z.number(),
  unchangedFiles: z.number(),
  removedEntries: z.number(),
  /** Plain bytes that were read in this run, and those of chunks that the vault did not have. */
  readBytes: z.number(),
  newBytes: z.number(),
  /** Bytes that this run added to the store: packs and index. */
  storedBytes: z.number().int(),
  durationMilliseconds: z.number(),
});
export type BackupStatistics = z.infer<typeof statistics>;

/** A table of a database when it was backed up. */
const countedTable = z.object({ schema: z.string(), table: z.string(), rows: z.number().int().nonnegative(), isEstimate: z.boolean().optional() });

/** What a manifest says of where a backup comes from. */
const source = z.object({
  type: z.string(),
  description: z.string(),
  /** Byte strings in base64. */
  paths: z.array(z.string()),
  /** What of a tree was to be kept: patterns as somebody wrote them. Absent: not recorded. */
  selection: z.object({ include: z.array(z.string()), exclude: z.array(z.string()), isOneFileSystem: z.boolean() }).optional(),
});

const facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));

/** One of several sources that are one backup; its entries lie below the folder `name`. */
const part = z.object({
  name: z.string(),
  source,
  /** The folder is the source's own directory, and not only made for the part. */
  isRooted: z.boolean(),
  startedAt: time,
  finishedAt: time,
  entries: z.number(),
  files: z.number(),
  bytes: z.number(),
  facts: facts.optional(),
});

const manifestSchema = z.object({
  format: z.number(),
  backup: z.string(),
  plan: z.string(),
  /** Readable name of the plan. */
  planName: z.string(),
  run: z.string(),
  writer: z.string(),
  host: z.string(),
  type: z.enum(['full', 'incremental', 'differential', 'snapshot']),
  source,
  /** In the order in which they were read; absent of a backup of one source. */
  parts: z.array(part).optional(),
  /** Writer's clock, for people. */
  startedAt: time,
  finishedAt: time,
  /** Store's time of the second look at marks, milliseconds (format §12). */
  checkedAt: z.number(),
  sequence: z.number().int().positive(),
  predecessors: z.array(z.object({ backup: z.string(), sha256: z.string() })),
  tree: z.object({ base: treeRoot, delta: treeRoot.nullable() }),
  /** SHA-256 over the ids of all tree chunks: commits to every entry and every byte. */
  contentSha256: z.string(),
  refsSha256: z.string(),
  statistics,
  warnings: z.array(z.object({ code: z.string(), path: z.string().optional(), message: z.string() })),
  /** What the source says about this backup, for who has no key to its data; absent of most. */
  facts: facts.optional(),
  /** What the producers of streams said of themselves; absent where there were none. */
  evidence: z.array(z.object({ entry: z.string(), facts: z.array(z.string()), tables: z.array(countedTable).optional(), versions: z.record(z.string(), z.string()).optional() })).optional(),
  policy: z.object({ verification: z.string(), warningsAreGood: z.boolean() }).optional(),
});

/** The immutable record of one backup (format §8). */
export type Manifest = z.infer<typeof manifestSchema>;
/** Names are simple words: the same as text and as byte strings. */
export type ManifestPart = NonNullable<Manifest['parts']>[number];
export type ManifestWarning = Manifest['warnings'][number];
/** `entry`: its path, for people. */
export type ManifestEvidence = NonNullable<Manifest['evidence']>[number];

export function sealManifest(keys: Subkeys, manifest: Manifest, cipher: CipherName, random?: (size: number) => Uint8Array): Buffer {
  return sealJson(keys, 'snapshot', names.snapshot(manifest.plan, manifest.backup), manifest, cipher, random);
}

export function openManifest(keys: Subkeys, name: string, stored: Uint8Array): Manifest {
  const parsed = manifestSchema.safeParse(openJson(keys, 'snapshot', name, stored));
  if (!parsed.success) throw damaged(`${name}: the manifest misses ${parsed.error.issues[0]?.path.join('.') ?? 'fields'}`);
  checkVersion(parsed.data.format, name);
  if (name !== names.snapshot(parsed.data.plan, parsed.data.backup)) throw damaged(`${name} holds the manifest of ${quoted(parsed.data.backup)}`);
  return parsed.data;
}
