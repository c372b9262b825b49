import { BaseBackupProof } from '../../../lib/sources/postgres/base-backup-proof.ts';
import { smallTar } from '../small-tar.ts';
import type { SmallMember } from '../small-tar.ts';
import { SEGMENT_BYTES, SYSTEM, manifestOf, smallBaseBackup } from './small-base-backup.ts';

function prove(members: readonly SmallMember[], wal: 'fetch' | 'none' = 'fetch') {
  const proof = new BaseBackupProof();
  proof.add(smallTar(members));
  return proof.finish({ walSegmentBytes: wal === 'fetch' ? SEGMENT_BYTES : undefined });
}

const without = (name: string) => smallBaseBackup().filter((one) => one.name !== name);
const instead = (name: string, change: Partial<SmallMember>) => smallBaseBackup().map((one) => (one.name === name ? { ...one, ...change } : one));

describe('the proof of a base backup (S2)', () => {
  it('says what the backup is when every file has the checksum that the server wrote', () => {
    expect(prove(smallBaseBackup())).toEqual({ files: 7, bytes: expect.any(Number), systemId: String(SYSTEM), timeline: 1, startLsn: '0/300028', stopLsn: '0/400100', startSegment: '000000010000000000000003', major: 15, limits: { max_connections: 250, max_worker_processes: 16, max_wal_senders: 12, max_prepared_transactions: 7, max_locks_per_transaction: 90 } });
  });

  it.each<readonly [string, SmallMember[], RegExp]>([
    ['a file that is missing', without('base/1/1259'), /the server sent "base\/1\/1259", and it is not there/],
    ['a file that is shorter', instead('base/1/1259', { content: Buffer.alloc(8191, 7) }), /has 8191 bytes, the server sent 8192/],
    ['one bit that differs', instead('base/1/1259', { content: Buffer.concat([Buffer.alloc(8191, 7), Buffer.from([6])]) }), /is not what the server sent: its SHA-256 is/],
    ['a file that the server knows nothing of', [...smallBaseBackup(), { name: 'base/1/9999', content: 'x' }], /of which the server says nothing/],
    ['a file that comes twice', [...smallBaseBackup(), { name: 'PG_VERSION', content: '15\n' }], /twice/],
    ['no manifest', without('backup_manifest'), /it has no backup_manifest/],
    ['half a manifest', instead('backup_manifest', { content: manifestOf(smallBaseBackup()).slice(0, 300) }), /it is not JSON/],
    ['a manifest with a changed line', instead('backup_manifest', { content: manifestOf(without('backup_manifest')).replace('14:00:00', '14:00:01') }), /its own checksum is wrong/],
    ['a manifest without checksums of files', instead('backup_manifest', { content: manifestOf(without('backup_manifest')).replaceAll('"SHA256"', '"CRC32C"') }), /is not as PostgreSQL writes it/],
    ['a WAL segment that is missing', without('pg_wal/000000010000000000000004'), /WAL segment 000000010000000000000004 is not there/],
    ['a WAL segment that is cut', instead('pg_wal/000000010000000000000004', { content: Buffer.alloc(512) }), /has 512 bytes, wanted 1048576/],
    ['a link out of the directory', [{ name: 'pg_tblspc/16400', type: '2' }, ...smallBaseBackup()], /wanted files and directories alone/],
  ])('refuses %s', (_what, members, said) => {
    expect(() => prove(members)).toThrow(said);
  });

  it('asks for no WAL where the backup was taken without', () => {
    expect(prove(smallBaseBackup().filter(({ name }) => !name.startsWith('pg_wal/0')), 'none')).toMatchObject({ startLsn: '0/300028' });
    expect(() => new BaseBackupProof().finish({})).toThrow(/without the two blocks/);
  });
});
