import type { Command } from 'commander';
import { commandTable, commonOptions } from './command-table.ts';
import type { ExitCode } from './exit-codes.ts';
import { programOf, runFace } from './face.ts';
import type { Face } from './face.ts';
import { GROUPS } from './groups.ts';
import type { Surroundings } from './runtime.ts';

function holdfast(): Face {
  return {
    name: 'holdfast',
    description: 'Backup and disaster recovery that proves what it keeps.',
    rows: commandTable(),
    options: commonOptions,
    groups: GROUPS,
    footer: 'A first backup:\n  $ holdfast backup ~/documents\n\nIDs may be shortened; `latest` and `latest:PLAN` are the newest good backups.',
  };
}

/** Parses one command line, runs its command, maps every error to its exit code. Never throws for a known error. */
export async function runCli(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  return runFace(holdfast(), args, surroundings);
}

/** For the tests and `docs/cli.md`. */
export function buildProgram(surroundings: Surroundings, onDone: (code: ExitCode) => void): Command {
  return programOf(holdfast(), surroundings, { onDone });
}
