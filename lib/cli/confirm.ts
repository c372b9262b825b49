import { HoldfastError } from '../model/errors.ts';
import type { CommandContext } from './command.ts';

const SHOWN = 20;

/**
 * Shows what is about to go and asks a person; passes at once with `--yes`. Without a terminal nobody can answer:
 * `refused`, so that no script deletes by accident.
 */
export async function confirm({ options, output, surroundings }: CommandContext, question: string, details: readonly string[]): Promise<void> {
  if (options['yes'] === true) return;
  if (output.isJson) throw new HoldfastError('refused', question, { nextStep: 'Repeat it with --yes: programs are not asked. Nothing was done.', data: { details } });
  for (const line of [question, ...details.slice(0, SHOWN).map((detail) => `  ${detail}`)]) output.note(line);
  if (details.length > SHOWN) output.note(`  and ${details.length - SHOWN} more`);
  if (surroundings.stdin.isTTY !== true) throw new HoldfastError('refused', 'This needs a yes, and standard input is no terminal.', { nextStep: 'Repeat it with --yes. Nothing was done.' });
  const { createInterface } = await import('node:readline/promises');
  const prompt = createInterface({ input: surroundings.stdin, output: surroundings.stderr });
  try {
    const answer = await prompt.question('Go on? Type yes: ', { signal: surroundings.signal });
    if (answer.trim().toLowerCase() !== 'yes') throw new HoldfastError('refused', 'It was not confirmed.', { nextStep: 'Nothing was done.' });
  } finally {
    prompt.close();
  }
}
