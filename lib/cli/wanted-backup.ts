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

export async function openWanted(context: CommandContext, vault: Vault, wanted: string): Promise<{ readonly reader: SnapshotReader; readonly notes: readonly string[] }> {
  const { name, notes } = await findWanted(context, vault, wanted);
  return { reader: await SnapshotReader.open(vault.repository, name), notes };
}
