import { basename, resolve } from 'node:path';
import { archiveWal } from '../../backup/wal/archive-wal.ts';
import { dataFolders, systemIdIn } from '../../backup/wal/system-id.ts';
import type { CommandContext, CommandArguments } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { bytesInWords } from '../words.ts';

/** PostgreSQL calls again a minute later by itself; somebody who stops the server does not want to wait for longer. */
const PATIENCE_MS = 30_000;

/** Success only when the file is durable in the vault: PostgreSQL removes its own then. */
export async function run({ surroundings, runtime, options, output }: CommandContext, [path, name]: CommandArguments): Promise<ExitCode> {
  const { workingFolder, clock, signal } = surroundings;
  const file = resolve(workingFolder, textOf(path));
  const systemId = (options['systemId'] as string | undefined) ?? (await systemIdIn(dataFolders(workingFolder, file)));
  const { vault, plan } = await runtime.openPlan(options, options['plan'] as string, { patienceMs: PATIENCE_MS });
  try {
    const archived = await archiveWal({ repository: vault.repository, plan, clock, signal }, { path: file, name: textOf(name) || basename(file), systemId });
    output.result({ type: 'wal-archive', ...archived }, () => `${archived.name}: ${archived.isNew ? `kept, ${bytesInWords(archived.storedBytes)} stored` : 'was kept already'}`);
    return 0;
  } finally {
    await vault.close();
  }
}
