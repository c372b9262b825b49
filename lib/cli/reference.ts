import type { Option } from 'commander';
import { commandTable, commonOptions } from './command-table.ts';
import { EXIT_CODES, EXIT_CODE_OF } from './exit-codes.ts';

/** Start and end of the generated part of `docs/cli.md`. */
export const REFERENCE_MARKS = ['<!-- written by scripts/write-cli-docs.ts -->', '<!-- end of what is written by scripts/write-cli-docs.ts -->'] as const;

/** The part of `docs/cli.md` that repeats the tables of the program; a test holds them together. */
export function reference(): string {
  return [
    '## Exit codes', '', '| Code | Meaning | Errors |', '| --- | --- | --- |',
    ...Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} | ${errorsOf(Number(code))} |`),
    '', '## Options of every command', '', ...optionLines(commonOptions()),
    '', '## Commands',
    ...commandTable().flatMap(({ name, args, summary, options, examples }) => [
      '', `### holdfast ${name}`, '', `\`holdfast ${name}${args === '' ? '' : ` ${args}`}\`: ${summary}.`, '',
      ...(options.length > 0 ? [...optionLines(options), ''] : []),
      '```', ...examples, '```',
    ]),
  ].join('\n');
}

function errorsOf(exitCode: number): string {
  return Object.entries(EXIT_CODE_OF).filter(([, code]) => code === exitCode).map(([error]) => `\`${error}\``).join(' ');
}

function optionLines(options: readonly Option[]): string[] {
  return options.map(({ flags, description, argChoices, defaultValue }) => `- \`${flags}\`: ${description}${argChoices ? ` (${argChoices.join(', ')})` : ''}${typeof defaultValue === 'string' ? `; ${defaultValue} when not given` : ''}`);
}
