import { spawnSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AcknowledgedPlace } from '../../lib/backup/wal/acknowledged.ts';
import { temporaryFolder } from './temporary-folder.ts';

const SCRIPT = join(__dirname, '..', '..', 'bin', 'holdfast-wal');
/** Of a `node` that says that the program was asked. */
const ASKED_THE_PROGRAM = 77;

/** Whether bin/holdfast-wal answers by itself; false when it asks the program. Anything else is thrown. */
export function scriptAnswers({ words, environment, workingFolder }: AcknowledgedPlace, [command, ...files]: readonly string[]): boolean {
  const { status, stderr } = runScript([command as string, ...files, ...words], { environment, workingFolder });
  if (status === 0) return true;
  if (status === ASKED_THE_PROGRAM) return false;
  throw new Error(`holdfast-wal ended with ${status}: ${stderr}`);
}

export function runScript(words: readonly string[], { environment, workingFolder, shell = 'sh' }: Pick<AcknowledgedPlace, 'environment' | 'workingFolder'> & { readonly shell?: string }): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const programs = temporaryFolder();
  writeFileSync(join(programs, 'node'), `#!/bin/sh\nprintf '%s\\n' "$@"\nexit ${ASKED_THE_PROGRAM}\n`);
  chmodSync(join(programs, 'node'), 0o755);
  return spawnSync(shell, [SCRIPT, ...words], { cwd: workingFolder, env: { PATH: `${programs}:/usr/bin:/bin`, ...environment }, encoding: 'utf8' });
}
