import { createHash } from 'node:crypto';
import type { SmallMember } from '../small-tar.ts';

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
export const SEGMENT_BYTES = 1 << 20;
export const SYSTEM = 7412345678901234567n;

/** What a server says about the members that are no WAL, with its own checksum at the end. */
export function manifestOf(members: readonly SmallMember[], walRanges = [{ Timeline: 1, 'Start-LSN': '0/300028', 'End-LSN': '0/400100' }]): string {
  const files = members.filter(({ name, type }) => type === undefined && !name.startsWith('pg_wal/')).map(({ name, content = '' }) =>
    JSON.stringify({ Path: name, Size: Buffer.from(content).length, 'Last-Modified': '2026-11-28 14:00:00 GMT', 'Checksum-Algorithm': 'SHA256', Checksum: sha256(Buffer.from(content)) }));
  const text = `{ "PostgreSQL-Backup-Manifest-Version": 1,\n"Files": [\n${files.join(',\n')}\n],\n"WAL-Ranges": ${JSON.stringify(walRanges)},\n`;
  return `${text}"Manifest-Checksum": "${sha256(text)}"}\n`;
}

/** The smallest thing that has everything a base backup has. */
export function smallBaseBackup(): SmallMember[] {
  const control = Buffer.alloc(512);
  control.writeBigUInt64LE(SYSTEM);
  control.writeUInt32LE(1300, 8);
  for (const [index, limit] of [250, 16, 12, 7, 90].entries()) control.writeUInt32LE(limit, 180 + 4 * index);
  const files: SmallMember[] = [
    { name: 'backup_label', content: 'START WAL LOCATION: 0/300028 (file 000000010000000000000003)\nCHECKPOINT LOCATION: 0/300060\nBACKUP METHOD: streamed\nSTART TIMELINE: 1\n' },
    { name: 'base/', type: '5' }, { name: 'PG_VERSION', content: '15\n' }, { name: 'base/1/', type: '5' }, { name: 'base/1/1259', content: Buffer.alloc(8192, 7) },
    { name: 'global/', type: '5' }, { name: 'global/pg_control', content: control }, { name: 'pg_wal/', type: '5' },
    ...[3, 4].map((number) => ({ name: `pg_wal/00000001000000000000000${number}`, content: Buffer.alloc(SEGMENT_BYTES) })),
  ];
  return [...files, { name: 'backup_manifest', content: manifestOf(files) }];
}
