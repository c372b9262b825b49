import { Command, CommanderError } from 'commander';
import { unsteered } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { CommandArguments, CommandContext } from './command.ts';
import { commandTable, commonOptions } from './command-table.ts';
import type { CommandRow } from './command-table.ts';
import { EXIT_CODE_OF } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { GROUPS } from './groups.ts';
import { Output } from './output.ts';
import type { Surroundings } from './runtime.ts';

/** Parses one command line, runs its command, maps every error to its exit code. Never throws for a known error. */
export async function runCli(args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const isJson = wantsJson(args);
  const program = buildProgram(surroundings, (code) => (exitCode = code), isJson);
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    // For people commander has said it already, with what it suggests.
    if (error instanceof CommanderError) return isJson ? reportError(usageError(error), surroundings, true) : 2;
    return reportError(error, surroundings, isJson);
  }
}

/** Also when the rest of the line cannot be understood. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}

function usageError({ code, message }: CommanderError): HoldfastError {
  const said = code === 'commander.help' ? 'No command was given.' : message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new HoldfastError('usage', said, { nextStep: '`holdfast --help` and `holdfast COMMAND --help` show what there is.' });
}

/** Also for the tests and `docs/cli.md`: what `--help` prints comes from here. */
export function buildProgram(surroundings: Surroundings, onDone: (code: ExitCode) => void, isJson = false): Command {
  const program = new Command('holdfast');
  program
    .description('Backup and disaster recovery that proves what it keeps.')
    .version(surroundings.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .option('--json', 'results for programs; may also stand behind the command')
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => surroundings.stdout.write(text),
      writeErr: (text) => void (isJson || surroundings.stderr.write(text)),
      outputError: (text, write) => write(text.replace(/^error: /, 'holdfast: ')),
    })
    .exitOverride();
  const groups = new Map<string, Command>();
  for (const row of commandTable()) groups.set(row.name, addCommand(parentOf(row, program, groups), row, surroundings, onDone));
  program.addHelpText('after', '\nA first backup:\n  $ holdfast backup ~/documents\n\nIDs may be shortened; `latest` and `latest:PLAN` are the newest good backups.');
  return program;
}

function parentOf(row: CommandRow, program: Command, groups: Map<string, Command>): Command {
  const [group, member] = row.name.split(' ');
  if (group === undefined || member === undefined) return program;
  const known = groups.get(group) ?? program.command(group).description(GROUPS[group] ?? '').helpCommand(false);
  groups.set(group, known);
  return known;
}

function addCommand(parent: Command, row: CommandRow, surroundings: Surroundings, onDone: (code: ExitCode) => void): Command {
  const command = parent.command(`${row.name.split(' ').at(-1)} ${row.args}`.trim()).description(row.summary).helpCommand(false);
  for (const option of [...row.options, ...commonOptions()]) command.addOption(option);
  command.addHelpText('after', `\nExamples:\n${row.examples.map((example) => `  $ ${example}`).join('\n')}`);
  command.action(async (...received: unknown[]) => {
    const args = received.slice(0, -2) as CommandArguments;
    const options = command.optsWithGlobals<CommandContext['options']>();
    const { run, check } = await row.load();
    check?.(options);
    const output = new Output(surroundings, options.json === true);
    onDone(await run({ surroundings, output, options, runtime: await surroundings.loadRuntime(stackOf(options, surroundings)) }, args));
  });
  return command;
}

/** An empty `--aws` is a variable that was not set, and must not become work on this machine; an empty HOLDFAST_AWS is unset. */
function stackOf({ aws }: CommandContext['options'], { environment }: Surroundings): string | undefined {
  if (aws === '') throw new HoldfastError('usage', '--aws is empty, wanted the name of a stack.', { nextStep: 'Check the variable that the value came from; leave out --aws for a vault of this machine.' });
  return (aws ?? environment['HOLDFAST_AWS']) || undefined;
}

/** One line what failed, one line what to do; for programs one line of JSON. Stacks only when asked for. */
function reportError(error: unknown, surroundings: Surroundings, isJson: boolean): ExitCode {
  const known = isHoldfastError(error) ? error : unexpected(error);
  const exitCode = EXIT_CODE_OF[known.code];
  const { code, message, nextStep } = known;
  const lines = isJson
    ? JSON.stringify({ type: 'error', code, message, nextStep, exitCode })
    : `${message.split('\n').map((line) => `holdfast: ${line}`).join('\n')}${nextStep === undefined ? '' : `\n${nextStep}`}`;
  surroundings.stderr.write(`${isJson ? lines : unsteered(lines)}\n`);
  if (surroundings.environment['HOLDFAST_DEBUG']) surroundings.stderr.write(`${error instanceof Error ? (error.stack ?? '') : String(error)}\n`);
  return exitCode;
}

function unexpected(cause: unknown): HoldfastError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError('broken-invariant', `Something unexpected happened: ${message}`, { nextStep: 'This is a bug in Holdfast. Set HOLDFAST_DEBUG=1 to see where, and report it.', cause });
}
