import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { finishDirectory } from '../../../lib/recovery/data-directory/finish-directory.ts';
import type { DataDirectoryPlan } from '../../../lib/recovery/data-directory/plan.ts';
import { LOG_NAME, startRecovered } from '../../../lib/recovery/data-directory/start-server.ts';
import { DirectoryWriter } from '../../../lib/recovery/data-directory/write-directory.ts';
import { BaseBackupProof } from '../../../lib/sources/postgres/base-backup-proof.ts';
import { SEGMENT_BYTES, manifestOf, smallBaseBackup } from '../../sources/postgres/small-base-backup.ts';
import { smallTar } from '../../sources/small-tar.ts';

let root: string;
beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'holdfast-finish-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

it('a restore of a cluster that was itself restored gets as far as the server: the log of the earlier one is gone (R4)', async () => {
  const files = [...smallBaseBackup().slice(0, -1), { name: LOG_NAME, content: 'LOG:  of the earlier restore\n' }, { name: 'standby.signal', content: '' }];
  const writer = new DirectoryWriter(root, undefined);
  const proof = new BaseBackupProof(writer);
  proof.add(smallTar([...files, { name: 'backup_manifest', content: manifestOf(files) }]));
  const proved = proof.finish({ walSegmentBytes: SEGMENT_BYTES });
  const facts: DataDirectoryPlan['facts'] = { systemId: proved.systemId, timeline: 1, startLsn: proved.startLsn, stopLsn: proved.stopLsn, startSegment: proved.startSegment, walSegmentBytes: SEGMENT_BYTES, serverVersion: '15.4', startedAt: 0, stoppedAt: 1, hasWal: true };
  const request: DataDirectoryPlan['request'] = { directory: root, target: { kind: 'backup' }, action: 'promote', timeline: 'latest', isArchiving: false };
  await finishDirectory(writer, { backup: 'b', request, facts, bytes: 0, settings: [], owner: undefined, program: undefined, warnings: [] }, proved);
  expect([LOG_NAME, 'standby.signal'].filter((name) => existsSync(join(root, name)))).toEqual([]);
  // Configuration that lies elsewhere, as Debian's: limits come from pg_control, hot standby refuses lower ones.
  const conf = readFileSync(join(root, 'postgresql.conf'), 'utf8');
  for (const setting of ['max_connections = 250', 'max_worker_processes = 16', 'max_wal_senders = 12', 'max_prepared_transactions = 7', 'max_locks_per_transaction = 90']) expect(conf).toContain(`\n${setting}\n`);
  // A program that only ends: the start came as far as to run it.
  await expect(startRecovered({ program: '/bin/false', directory: root, port: 5433, target: request.target, action: 'promote', owner: undefined, environment: {}, clock: systemClock, signal: new AbortController().signal })).rejects.toThrow(/The restored server ended with exit code 1/);
});
