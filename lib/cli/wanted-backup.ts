import { SnapshotReader } from '../repository/index.ts';
import type { CommandContext } from './command.ts';
import type { Vault } from './runtime.ts';

/** Opens the backup that a person means; says so when `latest` had to pass over newer ones: who restores must not believe to have yesterday. */
export async function openWanted({ runtime, output }: CommandContext, vault: Vault, wanted: string): Promise<SnapshotReader> {
  const { name, passedOver } = await runtime.findBackup(vault, wanted);
  if (passedOver !== undefined) output.warn(passedOver);
  return SnapshotReader.open(vault.repository, name);
}
