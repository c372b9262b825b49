import type { Catalog } from '../catalog/catalog.ts';
import { HoldfastError } from '../model/errors.ts';
import type { CommandContext } from './command.ts';
import { withVault } from './command.ts';
import type { ExitCode } from './exit-codes.ts';
import { isStack } from './runtime.ts';
import type { StackRuntime } from './runtime.ts';

/** Opens the catalog of the stack, or that of the vault on this machine. A stack's needs no vault and no key: at night somebody else may hold those. */
export async function withCatalog(context: CommandContext, work: (catalog: Catalog, stack: StackRuntime | undefined) => Promise<ExitCode>): Promise<ExitCode> {
  const { runtime } = context;
  if (isStack(runtime)) return work(await runtime.catalog(), runtime);
  return withVault(context, async (vault) => work(await vault.catalog(), undefined));
}

/** The stack that `--aws` names; `unsupported` without one. `what`: what the local runtime does not have. */
export function stackOf({ runtime }: CommandContext, what: string): StackRuntime {
  if (isStack(runtime)) return runtime;
  throw new HoldfastError('unsupported', `The local runtime has no ${what} yet; they are those of a deployed stack.`, { nextStep: 'Add --aws STACK. `holdfast runs` shows what ran on this machine.' });
}
