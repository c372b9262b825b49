import { partOf, refuseSeveral } from '../recovery/part.ts';
import { SnapshotReader } from '../repository/index.ts';
import type { CommandContext } from './command.ts';
import type { Vault } from './runtime.ts';

export interface WantedBackup {
  /** Name of its snapshot. */
  readonly name: string;
  /** What a person must know about the choice; said already, unless with `--json`: there it is a part of the result. */
  readonly notes: readonly string[];
}

/** The backup that a person means; says so when `latest` had to pass over newer ones: who restores must not believe to have yesterday. */
export async function findWanted({ runtime, output }: Pick<CommandContext, 'runtime' | 'output'>, vault: Vault, wanted: string): Promise<WantedBackup> {
  const { name, passedOver } = await runtime.findBackup(vault, wanted);
  const notes = passedOver === undefined ? [] : [passedOver];
  if (!output.isJson) for (const note of notes) output.warn(note);
  return { name, notes };
}

export interface OpenedBackup {
  readonly reader: SnapshotReader;
  readonly notes: readonly string[];
}

/** With `--part`, of commands that have it, that part of it alone. */
export async function openWanted(context: CommandContext, vault: Vault, wanted: string): Promise<OpenedBackup> {
  const { name, notes } = await findWanted(context, vault, wanted);
  return { reader: partOf(await SnapshotReader.open(vault.repository, name), context.options['part'] as string | undefined), notes };
}

/** For targets that take one source: a set is given part by part. */
export async function openSingle(context: CommandContext, vault: Vault, wanted: string): Promise<OpenedBackup> {
  const opened = await openWanted(context, vault, wanted);
  refuseSeveral(opened.reader);
  return opened;
}
