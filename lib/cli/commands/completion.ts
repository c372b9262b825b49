import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf } from '../command.ts';
import { bashCompletion } from '../completion/bash.ts';
import { completedCommands } from '../completion/completed-commands.ts';
import type { CompletedCommand } from '../completion/completed-commands.ts';
import { fishCompletion } from '../completion/fish.ts';
import { zshCompletion } from '../completion/zsh.ts';
import { COMPLETED_SHELLS } from '../command-table.ts';
import { GROUPS } from '../groups.ts';
import { HoldfastError } from '../../model/errors.ts';

const SCRIPTS: Readonly<Record<string, (commands: readonly CompletedCommand[]) => string>> = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** Opens no vault and reads nothing: a shell starts with it. */
export async function run({ output }: CommandContext, [shell]: CommandArguments): Promise<0> {
  const wanted = textOf(shell);
  const script = SCRIPTS[wanted]?.(completedCommands(GROUPS));
  if (script === undefined) throw new HoldfastError('usage', `There is no completion for ${JSON.stringify(wanted)}, wanted one of ${COMPLETED_SHELLS.join(', ')}.`, { nextStep: '`holdfast completion bash` prints the one for bash.' });
  output.result({ type: 'completion', shell: wanted, script }, () => script.trimEnd());
  return 0;
}
