import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectoryWriter } from '../../../lib/recovery/data-directory/write-directory.ts';
import { BaseBackupProof } from '../../../lib/sources/postgres/base-backup-proof.ts';
import { smallBaseBackup } from '../../sources/postgres/small-base-backup.ts';
import { smallTar } from '../../sources/small-tar.ts';
import type { SmallMember } from '../../sources/small-tar.ts';

let parent: string;
let root: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'holdfast-directory-'));
  root = join(parent, 'root');
  mkdirSync(root);
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

function write(members: readonly SmallMember[]): DirectoryWriter {
  const writer = new DirectoryWriter(root, undefined);
  try {
    new BaseBackupProof(writer).add(smallTar(members));
  } finally {
    writer.close();
  }
  return writer;
}

describe('a data directory that is written (S2, R4)', () => {
  it('cannot be started before it is approved, and is open to its owner alone', () => {
    const writer = write(smallBaseBackup());
    expect(existsSync(join(root, 'global/pg_control'))).toBe(false);
    writer.approve();
    expect(readFileSync(join(root, 'global/pg_control'))).toHaveLength(512);
    expect(readFileSync(join(root, 'base/1/1259'))).toEqual(Buffer.alloc(8192, 7));
    for (const [path, mode] of [['base', 0o700], ['base/1', 0o700], ['PG_VERSION', 0o600]] as const) expect(statSync(join(root, path)).mode & 0o777).toBe(mode);
  });

  it.each<readonly [string, SmallMember]>([
    ['above', { name: '../outside', content: 'x' }], ['above in a roundabout way', { name: './../outside', content: 'x' }], ['above in the middle', { name: 'base/../../outside', content: 'x' }], ['from the root', { name: '/tmp/holdfast-outside', content: 'x' }],
    ['a folder above', { name: '../outside/', type: '5' }], ['a link', { name: 'pg_wal', type: '2' }], ['a hard link', { name: 'pg_wal', type: '1' }], ['a device', { name: 'disk', type: '4' }],
  ])('is refused with a member that leads %s, and nothing is written elsewhere', (_what, hostile) => {
    expect(() => write([hostile])).toThrow(/is not a path inside a backup|wanted files and directories alone/);
    expect(readdirSync(parent)).toEqual(['root']);
    expect(readdirSync(root)).toEqual([]);
  });

  it('follows no link that somebody put there meanwhile', () => {
    symlinkSync(join(parent, 'outside'), join(root, 'PG_VERSION'));
    expect(() => write([{ name: 'PG_VERSION', content: '15\n' }])).toThrow(/something is there already/);
    expect(existsSync(join(parent, 'outside'))).toBe(false);
  });
});
