import { createHash } from 'node:crypto';
import * as z from 'zod';
import { HoldfastError } from '../../model/errors.ts';

/** What the server says that it sent: the `backup_manifest` at the end of every base backup. */
export interface BackupManifest {
  readonly files: ReadonlyMap<string, ManifestFile>;
  /** Of WAL that a recovery from this backup needs at least, one for each timeline that it went through. */
  readonly walRanges: readonly { readonly timeline: number; readonly startLsn: string; readonly endLsn: string }[];
}

export interface ManifestFile {
  readonly size: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

const file = z.union([
  z.object({ Path: z.string(), Size: z.int().nonnegative(), 'Checksum-Algorithm': z.literal('SHA256'), Checksum: z.string().regex(/^[0-9a-f]{64}$/) }),
  z.object({ 'Encoded-Path': z.string().regex(/^([0-9a-f]{2})+$/), Size: z.int().nonnegative(), 'Checksum-Algorithm': z.literal('SHA256'), Checksum: z.string().regex(/^[0-9a-f]{64}$/) }),
]);
const schema = z.object({
  'PostgreSQL-Backup-Manifest-Version': z.int().min(1).max(2),
  Files: z.array(file).min(1),
  'WAL-Ranges': z.array(z.object({ Timeline: z.int().positive(), 'Start-LSN': z.string(), 'End-LSN': z.string() })).min(1),
  'Manifest-Checksum': z.string().regex(/^[0-9a-f]{64}$/),
});

/**
 * Parses a manifest, proved against the checksum in its last line, as pg_verifybackup does
 * (https://www.postgresql.org/docs/current/backup-manifest-format.html). Names are bytes as latin1. Fails as `damaged`.
 */
export function parseBackupManifest(bytes: Uint8Array): BackupManifest {
  const text = Buffer.from(bytes).toString('utf8');
  const parsed = schema.safeParse(parseJson(text));
  if (!parsed.success) throw broken(`${parsed.error.issues[0]?.path.join('.') || 'the whole'} is not as PostgreSQL writes it`);
  const { Files, 'WAL-Ranges': ranges, 'Manifest-Checksum': wanted } = parsed.data;
  const covered = bytes.subarray(0, bytes.lastIndexOf(0x0a, bytes.length - 2) + 1);
  if (createHash('sha256').update(covered).digest('hex') !== wanted) throw broken('its own checksum is wrong');
  return {
    files: new Map(Files.map((one) => [nameOf(one), { size: one.Size, sha256: one.Checksum }])),
    walRanges: ranges.map((range) => ({ timeline: range.Timeline, startLsn: range['Start-LSN'], endLsn: range['End-LSN'] })),
  };
}

function nameOf(one: z.output<typeof file>): string {
  return 'Path' in one ? Buffer.from(one.Path, 'utf8').toString('latin1') : Buffer.from(one['Encoded-Path'], 'hex').toString('latin1');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw broken('it is not JSON');
  }
}

function broken(complaint: string): HoldfastError {
  return new HoldfastError('damaged', `The backup_manifest of the base backup cannot be believed: ${complaint}.`, { nextStep: 'Take another backup; run `holdfast verify --level full` to see whether the vault is damaged.' });
}
