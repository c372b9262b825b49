import { join, resolve } from 'node:path';
import { fingerprintsOf } from '../../backup/wal/acknowledged.ts';
import { dataFolders, systemIdIn } from '../../backup/wal/system-id.ts';
import { HoldfastError } from '../../model/errors.ts';
import { fetchAhead } from '../../recovery/pitr/fetch-ahead.ts';
import type { Ahead } from '../../recovery/pitr/fetch-ahead.ts';
import { forgetFetched } from '../../recovery/pitr/fetched-ahead.ts';
import { fetchWal } from '../../recovery/pitr/fetch-wal.ts';
import type { WalWanted } from '../../recovery/pitr/fetch-wal.ts';
import { CONFIG_NAME, parseWalFile, parseWalObjectName, walFolder } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';
import { bytesInWords, counted } from '../words.ts';

/** 0: it is there. 1: the vault has no such file, which for PostgreSQL is the end of WAL. Everything else ends recovery. */
export async function run({ surroundings, runtime, options, output }: CommandContext, [name, path]: CommandArguments): Promise<ExitCode> {
  const { workingFolder } = surroundings;
  const target = resolve(workingFolder, textOf(path));
  const { vault, plan, planName, configFile } = await runtime.openPlan(options, options['plan'] as string);
  try {
    const here = await systemIdIn(dataFolders(workingFolder, target));
    const systemId = (options['systemId'] as string | undefined) ?? here ?? (await onlySystem(vault, plan, planName));
    const wanted = { repository: vault.repository, plan, systemId, name: textOf(name), target };
    const chosenBy = fingerprintsOf([configFile, join(vault.directory, CONFIG_NAME)]);
    const fetched = await fetchWal(wanted);
    const file = parseWalFile(wanted.name);
    const count = options['alsoNext'] as number | undefined;
    // Only where the next call sees by itself whose data directory this is.
    const hasNext = count !== undefined && fetched.found === 'whole' && file?.kind === 'segment' && systemId === here;
    const place = { words: (surroundings.commandLine ?? []).slice(3), environment: surroundings.environment, workingFolder, now: surroundings.clock.now() };
    if (count !== undefined && fetched.found === 'nothing') forgetFetched(place);
    const ahead = hasNext ? await aheadOf(wanted, { place, count, chosenBy, timeline: file.timeline, segmentBytes: fetched.sizeBytes }, (text) => output.warn(text)) : 0;
    output.result({ type: 'wal-fetch', name: textOf(name), ...fetched, ...(ahead > 0 && { ahead }) }, () => (fetched.found === 'nothing' ? `${textOf(name)} is not in the vault` : `${textOf(name)}: ${bytesInWords(fetched.sizeBytes)}${fetched.found === 'partial' ? ', the beginning of a segment that was being written' : ''}${ahead > 0 ? `; ${counted(ahead, 'file')} ahead` : ''}`));
    return fetched.found === 'nothing' ? 1 : 0;
  } finally {
    await vault.close();
  }
}

/** The file that was asked for is there all the same. */
async function aheadOf(wanted: WalWanted, ahead: Ahead, warn: (text: string) => void): Promise<number> {
  try {
    return await fetchAhead(wanted, ahead);
  } catch (error) {
    warn(`Nothing is fetched ahead, because nothing can be kept below the state directory (${(error as NodeJS.ErrnoException).code}): let this user write there, or set XDG_STATE_HOME.`);
    return 0;
  }
}

/** Of a server that is not there any more, where only its WAL is wanted. */
async function onlySystem({ repository }: Vault, plan: string, planName: string): Promise<string> {
  const systems = new Set<string>();
  for await (const { name } of repository.store.list(walFolder(plan))) {
    const systemId = parseWalObjectName(name)?.systemId;
    if (systemId !== undefined) systems.add(systemId);
  }
  const [first, second] = [...systems];
  if (first !== undefined && second === undefined) return first;
  throw new HoldfastError(first === undefined ? 'not-found' : 'usage', first === undefined ? `The vault holds no WAL of the plan ${planName}.` : `The plan ${planName} has WAL of ${systems.size} systems (${[...systems].join(', ')}), and this is no data directory that would say which one is wanted.`, {
    nextStep: first === undefined ? 'Check --plan and --vault.' : 'Run this in the data directory, or give --system-id.',
  });
}
