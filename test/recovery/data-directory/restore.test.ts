import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import type { DataDirectoryPlan } from '../../../lib/recovery/data-directory/plan.ts';
import { executeDataDirectoryRestore } from '../../../lib/recovery/data-directory/restore.ts';
import { ownerFor } from '../../../lib/recovery/data-directory/server-program.ts';
import { ENTRY } from '../../../lib/repository/entry.ts';
import type { SnapshotReader } from '../../../lib/repository/index.ts';
import { BaseBackupProof } from '../../../lib/sources/postgres/base-backup-proof.ts';
import { SEGMENT_BYTES, smallBaseBackup } from '../../sources/postgres/small-base-backup.ts';
import { smallTar } from '../../sources/small-tar.ts';

const asRoot = process.getuid?.() === 0 ? describe : describe.skip;
const USER = 54321;
const GROUP = 54322;
const TAR = smallTar(smallBaseBackup());
let parent: string;
let directory: string;

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'holdfast-restore-'));
  directory = join(parent, 'data');
});
afterEach(() => rmSync(parent, { recursive: true, force: true }));

const state = (name = '') => {
  const { uid, gid, mode } = statSync(join(directory, name));
  return [uid, gid, mode & 0o777];
};

/** The bytes in two parts; `between` looks at the directory while it is half written. */
function restore(between: () => void) {
  const proof = new BaseBackupProof({ member: () => {}, data: () => {}, memberEnd: () => {} });
  proof.add(TAR);
  const proved = proof.finish({ walSegmentBytes: SEGMENT_BYTES });
  const plan: DataDirectoryPlan = {
    backup: 'b', bytes: TAR.length, settings: [], owner: { uid: USER, gid: GROUP, name: 'somebody' }, program: undefined, warnings: [],
    request: { directory, target: { kind: 'backup' }, action: 'promote', timeline: 'latest', isArchiving: false },
    facts: { systemId: proved.systemId, timeline: 1, startLsn: proved.startLsn, stopLsn: proved.stopLsn, startSegment: proved.startSegment, walSegmentBytes: SEGMENT_BYTES, serverVersion: '15.4', startedAt: 0, stoppedAt: 1, hasWal: true },
  };
  const reader = { manifest: { backup: 'b' }, entries: async function* () { yield { type: ENTRY.file, size: TAR.length }; } } as unknown as SnapshotReader;
  return executeDataDirectoryRestore(reader, plan, {
    clock: systemClock, signal: new AbortController().signal, environment: {}, binaries: undefined,
    content: async function* () {
      yield TAR.subarray(0, TAR.length / 2);
      between();
      yield TAR.subarray(TAR.length / 2);
    },
  });
}

asRoot('a data directory of another user, restored by root (R4)', () => {
  beforeEach(() => {
    mkdirSync(directory);
    chownSync(directory, USER, GROUP);
    chmodSync(directory, 0o750);
  });

  it('is root\'s alone while it is written, and its owner\'s afterwards', async () => {
    const during: unknown[] = [];
    await restore(() => during.push(state(), readdirSync(directory).includes('base')));
    expect(during).toEqual([[0, 0, 0o700], true]);
    expect([state(), state('base/1'), state('base/1/1259')]).toEqual([[USER, GROUP, 0o700], [USER, GROUP, 0o700], [USER, GROUP, 0o600]]);
  });

  it('is given back empty and as it was when the restore fails', async () => {
    await expect(restore(() => { throw new Error('stopped here'); })).rejects.toThrow('stopped here');
    expect([state(), readdirSync(directory)]).toEqual([[USER, GROUP, 0o750], []]);
  });

  it('is left as it is when something is in it', async () => {
    writeFileSync(join(directory, 'theirs'), 'x');
    await expect(restore(() => {})).rejects.toThrow(/is not empty/);
    expect([state(), readdirSync(directory)]).toEqual([[USER, GROUP, 0o750], ['theirs']]);
  });
});

describe('a data directory that cannot be made (R4)', () => {
  it.each([
    ['below a file', () => join(parent, 'file', 'data'), 'target-exists', /file\/data cannot be restored into: something that is no directory stands there or above it/],
    ['where the system takes none', () => '/proc/holdfast/data', 'permission', /^\/proc\/holdfast\/data cannot be restored into: the file system takes no directory there/],
  ])('%s is said, with what to do', async (_where, place, code, message) => {
    writeFileSync(join(parent, 'file'), '');
    directory = place();
    await expect(restore(() => {})).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string, nextStep: expect.stringContaining('may write with --to-data-directory') as string });
  });

  it('for another user is refused before anything is written: PostgreSQL starts on none that is not its own', async () => {
    mkdirSync(directory);
    const spy = jest.spyOn(process, 'getuid').mockReturnValue(statSync(directory).uid + 7);
    try {
      await expect(ownerFor(directory)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining(`${directory} belongs to uid `) as string });
      expect(await ownerFor(join(directory, 'not-there-yet'))).toBeUndefined();
    } finally {
      spy.mockRestore();
    }
  });
});
