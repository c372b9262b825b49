import { basename, dirname, join, resolve } from 'node:path';
import { acknowledge, fingerprint, fingerprintsOf, forgetOthers, readyFiles } from '../../backup/wal/acknowledged.ts';
import type { AcknowledgedPlace } from '../../backup/wal/acknowledged.ts';
import { archiveWal } from '../../backup/wal/archive-wal.ts';
import type { WalArchive } from '../../backup/wal/archive-wal.ts';
import { dataFolders, systemIdIn } from '../../backup/wal/system-id.ts';
import { CONFIG_NAME, parseWalFile } from '../../repository/index.ts';
import type { CommandContext, CommandArguments } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Surroundings } from '../runtime.ts';
import { bytesInWords, counted } from '../words.ts';

/** PostgreSQL calls again a minute later by itself; somebody who stops the server does not want to wait for longer. */
const PATIENCE_MS = 30_000;

/** Files that are archived ahead, so many at once: one is sealed while another is stored. */
const AT_ONCE = 2;

/** Success only when the file is durable in the vault: PostgreSQL removes its own then. */
export async function run({ surroundings, runtime, options, output }: CommandContext, [path, name]: CommandArguments): Promise<ExitCode> {
  const { workingFolder, clock, signal } = surroundings;
  const file = resolve(workingFolder, textOf(path));
  const systemId = (options['systemId'] as string | undefined) ?? (await systemIdIn(dataFolders(workingFolder, file)));
  const { vault, plan, configFile } = await runtime.openPlan(options, options['plan'] as string, { patienceMs: PATIENCE_MS });
  try {
    const archive = { repository: vault.repository, plan, clock, signal };
    const archived = await archiveWal(archive, { path: file, name: textOf(name) || basename(file), systemId });
    const ahead = options['alsoReady'] === undefined ? 0 : await archiveAhead(archive, { file, systemId, count: options['alsoReady'] as number, place: placeOf(surroundings), chosenBy: fingerprintsOf([configFile, join(vault.directory, CONFIG_NAME)]), warn: (text) => output.warn(text) });
    output.result({ type: 'wal-archive', ...archived, ...(ahead > 0 && { ahead }) }, () => `${archived.name}: ${archived.isNew ? `kept, ${bytesInWords(archived.storedBytes)} stored` : 'was kept already'}${ahead > 0 ? `; ${counted(ahead, 'file')} ahead` : ''}`);
    return 0;
  } finally {
    await vault.close();
  }
}

/** As the entry of the program looks for the notes before it loads anything: by the words behind the file. */
function placeOf({ commandLine, environment, workingFolder }: Surroundings): AcknowledgedPlace {
  return { words: (commandLine ?? []).slice(3), environment, workingFolder };
}

/** Files that PostgreSQL will ask for next. What cannot be archived is left: when its turn comes, its failure is told. */
async function archiveAhead(archive: WalArchive, { file, systemId, count, place, chosenBy, warn }: { readonly file: string; readonly warn: (text: string) => void; readonly systemId: string | undefined; readonly count: number; readonly place: AcknowledgedPlace; readonly chosenBy: readonly string[] }): Promise<number> {
  const folder = dirname(file);
  const ready = readyFiles(folder);
  try {
    forgetOthers(place, new Set(ready));
  } catch (error) {
    // The file that was asked for is kept all the same.
    warn(`Nothing is archived ahead, because no notes of it can be kept below the state directory (${(error as NodeJS.ErrnoException).code}): let this user write there, or set XDG_STATE_HOME.`);
    return 0;
  }
  const rest = ready.filter((name) => name !== basename(file) && parseWalFile(name) !== undefined).slice(0, count)[Symbol.iterator]();
  let done = 0;
  let isWell = true;
  const lane = async (): Promise<void> => {
    for (let next = rest.next(); !next.done && isWell; next = rest.next()) {
      try {
        const path = join(folder, next.value);
        const seen = fingerprint(path);
        await archiveWal(archive, { path, name: next.value, systemId });
        acknowledge(place, next.value, seen, chosenBy);
        done += 1;
      } catch {
        isWell = false;
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return done;
}
