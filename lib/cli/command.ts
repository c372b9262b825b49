import type { ExitCode } from './exit-codes.ts';
import type { Output } from './output.ts';
import type { Runtime, Surroundings, Vault, VaultOptions } from './runtime.ts';

/** What a command gets; it answers with its exit code, or throws a HoldfastError, which is mapped in one place. */
export interface CommandContext {
  readonly surroundings: Surroundings;
  readonly output: Output;
  readonly runtime: Runtime;
  readonly options: CommonOptions & Readonly<Record<string, unknown>>;
}

export interface CommonOptions extends VaultOptions {
  /** Name of a deployed stack. */
  readonly aws?: string;
  readonly json?: boolean;
}

/** Arguments as commander hands them over: a text, a list for `...`, or nothing. */
export type CommandArguments = readonly (string | readonly string[] | undefined)[];

export interface CommandModule {
  /** Fails as `usage` where options do not go together, before anything else is loaded. */
  check?(options: CommandContext['options']): void;
  run(context: CommandContext, args: CommandArguments): Promise<ExitCode>;
}

/** Opens the vault that the options name, tells what is wrong with it, and closes it whatever happens. */
export async function withVault(context: CommandContext, work: (vault: Vault) => Promise<ExitCode>): Promise<ExitCode> {
  const vault = await context.runtime.openVault(context.options);
  try {
    for (const warning of vault.warnings) context.output.warn(warning);
    return await work(vault);
  } finally {
    await vault.close();
  }
}

export function textOf(value: CommandArguments[number]): string {
  return typeof value === 'string' ? value : '';
}

export function listOf(value: CommandArguments[number]): readonly string[] {
  return typeof value === 'string' ? [value] : (value ?? []);
}
