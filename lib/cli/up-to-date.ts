import { isHoldfastError } from '../model/errors.ts';
import type { CommandContext } from './command.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Vault } from './runtime.ts';
import { counted } from './words.ts';

/** Few enough that nobody waits for it. */
const SILENT = 20;

export interface UpToDate {
  /** 3 when something does not open or is gone. */
  readonly exitCode: ExitCode;
  /** Ids that the catalog knows and the vault does not show. */
  readonly vanished: ReadonlySet<string>;
}

/** The catalog is a cache: before it is shown it is made to name what the vault names; a broken one is passed over. */
export async function bringUpToDate({ runtime, output }: CommandContext, vault: Vault): Promise<UpToDate> {
  let isBroken = false;
  const { added, vanished, unreadable } = await runtime.synchroniseCatalog(vault).catch(async (error: unknown) => {
    if (!isHoldfastError(error, 'damaged')) throw error;
    isBroken = true;
    output.warn(`${error.message} What follows was read from the vault; \`holdfast catalog rebuild\` makes the catalog again.`);
    await vault.passOverCatalog();
    return runtime.synchroniseCatalog(vault);
  });
  if (added > SILENT && !isBroken) output.note(`The catalog lacked ${counted(added, 'backup')} of this vault and has them now.`);
  for (const name of unreadable) output.warn(`${name} does not open and is not listed: run \`holdfast verify\`.`);
  if (vanished.length > 0) output.warn(`${counted(vanished.length, 'backup')} that this machine has seen (${vanished[0]}${vanished.length > 1 ? ', ...' : ''}) ${vanished.length === 1 ? 'is' : 'are'} not in the vault, and no removal is recorded: this is an old state of the vault, or somebody deleted there. \`holdfast catalog rebuild\` forgets them.`);
  return { exitCode: isBroken || unreadable.length > 0 || vanished.length > 0 ? 3 : 0, vanished: new Set(vanished) };
}
