import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProvedBaseBackup } from '../../sources/postgres/base-backup-proof.ts';
import type { ServerLimits } from '../../sources/postgres/control-limits.ts';
import { HoldfastError } from '../../model/errors.ts';
import { autoConf } from './settings.ts';
import type { DataDirectoryPlan } from './plan.ts';
import { LOG_NAME } from './start-server.ts';
import type { TargetAction } from './target.ts';
import type { DirectoryWriter } from './write-directory.ts';

const AUTO_CONF = 'postgresql.auto.conf';

/** Of a server whose configuration lies elsewhere, as Debian's does: enough to recover and to be let in. */
const HBA = '# Written by holdfast restore: the backup has no pg_hba.conf.\nlocal all all peer\nhost all all 127.0.0.1/32 scram-sha-256\nhost all all ::1/128 scram-sha-256\n';

/** Settings and signal files for the recovery that was asked for; then the directory may be started. */
export async function finishDirectory(writer: DirectoryWriter, { request, facts, settings }: DataDirectoryPlan, { major, limits }: ProvedBaseBackup): Promise<void> {
  const place = (name: string) => join(request.directory, name);
  if (major !== Number.parseInt(facts.serverVersion, 10)) throw new HoldfastError('damaged', `PG_VERSION of the base backup is ${major}, and it was taken from PostgreSQL ${facts.serverVersion}.`, { nextStep: 'Run `holdfast verify --level full`, and restore another backup.' });
  // A standby that was backed up would be one again, and a recovery that was under way would go on to its own target.
  // The log of an earlier restore is not of this one, which writes its own under that name.
  for (const name of ['standby.signal', 'recovery.signal', LOG_NAME]) writer.remove(name);
  const before = await readFile(place(AUTO_CONF), 'utf8').catch(absent);
  writer.replace(AUTO_CONF, autoConf(before ?? '', settings));
  if (request.target.kind !== 'backup') writer.write('recovery.signal', '');
  if (!(await isThere(place('postgresql.conf')))) writer.write('postgresql.conf', ownConf(limits, request.action));
  if (!(await isThere(place('pg_hba.conf')))) writer.write('pg_hba.conf', HBA);
  writer.approve();
}

/** Hot standby compares its limits with those of the server that was backed up; replay needs room for its prepared transactions. */
function ownConf(limits: ServerLimits | undefined, action: TargetAction): string {
  const settings = Object.entries(limits ?? {}).map(([name, value]) => `${name} = ${value}\n`);
  return `# Written by holdfast restore: the backup has no postgresql.conf. Limits are those of the server that was backed up.\n${settings.join('')}${action === 'pause' ? '' : 'hot_standby = off\n'}`;
}

function absent(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
  return undefined;
}

function isThere(path: string): Promise<boolean> {
  return stat(path).then(() => true, (error: NodeJS.ErrnoException) => absent(error) ?? false);
}
