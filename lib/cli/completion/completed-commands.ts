import type { Option } from 'commander';
import { commandTable, commonOptions } from '../command-table.ts';
import type { CommandRow } from '../command-table.ts';

/** What a shell offers behind an option, or as an argument: names of files, of folders, these words, or nothing it could know. */
export type Offer = 'files' | 'folders' | 'unknown' | readonly string[];

export interface CompletedOption {
  /** `--recursive`, and `-r` where there is one. */
  readonly names: readonly string[];
  readonly summary: string;
  /** Undefined for one that takes no value. */
  readonly value: Offer | undefined;
}

export interface CompletedCommand {
  /** As it is typed, with its group: `keys add`; empty: nothing was typed yet. */
  readonly name: string;
  readonly summary: string;
  /** Words that may follow as a command of this group. */
  readonly members: readonly { readonly word: string; readonly summary: string }[];
  readonly options: readonly CompletedOption[];
  readonly argument: Offer;
}

/** All that can be typed, from the table that the program itself is made of. */
export function completedCommands(groups: Readonly<Record<string, string>>): CompletedCommand[] {
  const rows = commandTable();
  const names = new Set(rows.flatMap(({ name }) => ['', name, name.split(' ')[0] as string]));
  return [...names].sort().map((name) => {
    const row = rows.find((candidate) => candidate.name === name);
    return {
      name,
      summary: row?.summary ?? groups[name] ?? '',
      members: membersOf(name, rows, groups),
      options: row === undefined ? [] : [...[...row.options, ...commonOptions()].map(completedOption), HELP],
      argument: row === undefined ? 'unknown' : argumentOf(row),
    };
  });
}

const HELP: CompletedOption = { names: ['-h', '--help'], summary: 'show help', value: undefined };

function membersOf(name: string, rows: readonly CommandRow[], groups: Readonly<Record<string, string>>): CompletedCommand['members'] {
  const depth = name === '' ? 0 : name.split(' ').length;
  const below = rows.filter((row) => (name === '' || row.name.startsWith(`${name} `)) && row.name !== name);
  const words = new Set(below.map((row) => row.name.split(' ')[depth] as string));
  return [...words].sort().map((word) => {
    const whole = [name, word].filter(Boolean).join(' ');
    return { word, summary: rows.find((row) => row.name === whole)?.summary ?? groups[whole] ?? '' };
  });
}

function completedOption({ short, long, description, required, optional, argChoices, flags }: Option): CompletedOption {
  const value = !required && !optional ? undefined : (argChoices ?? BY_PLACEHOLDER[/<(\w+)>/.exec(flags)?.[1] ?? ''] ?? 'unknown');
  return { names: [short, long].filter((name) => name !== undefined), summary: description, value };
}

const BY_PLACEHOLDER: Readonly<Record<string, Offer>> = { file: 'files', dir: 'folders' };

function argumentOf({ args, words }: CommandRow): Offer {
  return words ?? (/targets|<file>/.test(args) ? 'files' : 'unknown');
}

/** In single quotes, as every shell here takes it. */
export function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
