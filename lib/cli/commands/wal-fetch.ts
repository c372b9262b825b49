import { resolve } from 'node:path';
import { dataFolders, systemIdIn } from '../../backup/wal/system-id.ts';
import { HoldfastError } from '../../model/errors.ts';
import { fetchWal } from '../../recovery/pitr/fetch-wal.ts';
import { parseWalObjectName, walFolder } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Vault } from '../runtime.ts';
import { bytesInWords } from '../words.ts';

/** 0: it is there. 1: the vault has no such file, which for PostgreSQL is the end of WAL. Everything else ends recovery. */
export async function run({ surroundings, runtime, options, output }: CommandContext, [name, path]: CommandArguments): Promise<ExitCode> {
  const { workingFolder } = surroundings;
  const target = resolve(workingFolder, textOf(path));
  const { vault, plan, planName } = await runtime.openPlan(options, options['plan'] as string);
  try {
    const systemId = (options['systemId'] as string | undefined) ?? (await systemIdIn(dataFolders(workingFolder, target))) ?? (await onlySystem(vault, plan, planName));
    const fetched = await fetchWal({ repository: vault.repository, plan, systemId, name: textOf(name), target });
    output.result({ type: 'wal-fetch', name: textOf(name), ...fetched }, () => (fetched.found === 'nothing' ? `${textOf(name)} is not in the vault` : `${textOf(name)}: ${bytesInWords(fetched.sizeBytes)}${fetched.found === 'partial' ? ', the beginning of a segment that was being written' : ''}`));
    return fetched.found === 'nothing' ? 1 : 0;
  } finally {
    await vault.close();
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
