import { Command, CommanderError } from 'commander';
import type { Option } from 'commander';
import { unsteered } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { CommandArguments, CommandContext } from './command.ts';
import type { CommandRow } from './command-table.ts';
import { EXIT_CODE_OF } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { Output } from './output.ts';
import type { Surroundings } from './runtime.ts';

/** One command line: the program itself, or the recovery kit. */
export interface Face {
  /** As it is called, for help and messages. */
  readonly name: string;
  readonly description: string;
  readonly rows: readonly CommandRow[];
  /** Taken by every command. */
  readonly options: () => readonly Option[];
  /** Groups that are no commands themselves. */
  readonly groups: Readonly<Record<string, string>>;
  /** Below the list of commands. */
  readonly footer: string;
  /** Errors speak of `holdfast`; where that is not installed they are told in other words. */
  reword?(error: HoldfastError): HoldfastError;
}

/** Parses one command line, runs its command, maps every error to its exit code. Never throws for a known error. */
export async function runFace(face: Face, args: readonly string[], surroundings: Surroundings): Promise<ExitCode> {
  let exitCode: ExitCode = 0;
  const isJson = wantsJson(args);
  const failureCode = rowOf(face, args)?.failureCode;
  const program = programOf(face, surroundings, { onDone: (code) => (exitCode = code), isJson });
  try {
    await program.parseAsync([...args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    // For people commander has said it already, with what it suggests.
    const thrown = error instanceof CommanderError ? usageError(face, error) : isHoldfastError(error) ? error : unexpected(error);
    const known = face.reword?.(thrown) ?? thrown;
    exitCode = failureCode?.(known.code) ?? EXIT_CODE_OF[known.code];
    if (isJson || !(error instanceof CommanderError)) reportError(known, surroundings, { isJson, exitCode, thrown: error });
    return exitCode;
  }
}

/**
 * The command that is asked for, also when the rest of the line cannot be understood: an option and its value may stand
 * before the name, which commander refuses. Commands with codes of their own win, because a program waits for those.
 */
function rowOf({ rows }: Face, args: readonly string[]): CommandRow | undefined {
  const first = args.find((word) => !word.startsWith('-'));
  return rows.find(({ name, failureCode }) => failureCode !== undefined && args.includes(name)) ?? rows.find(({ name }) => name === first);
}

/** Also when the rest of the line cannot be understood. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf('--');
  return (end < 0 ? args : args.slice(0, end)).includes('--json');
}

function usageError({ name }: Face, { code, message }: CommanderError): HoldfastError {
  const said = code === 'commander.help' ? 'No command was given.' : message.replace(/^error: /, '').replaceAll('\n', ' ');
  return new HoldfastError('usage', said, { nextStep: `\`${name} --help\` and \`${name} COMMAND --help\` show what there is.` });
}

export interface ProgramOptions {
  readonly onDone: (code: ExitCode) => void;
  readonly isJson?: boolean;
}

/** What `--help` prints comes from here. */
export function programOf(face: Face, surroundings: Surroundings, { onDone, isJson = false }: ProgramOptions): Command {
  const program = new Command(face.name);
  program
    .description(face.description)
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
  for (const row of face.rows) groups.set(row.name, addCommand(parentOf(row, { face, program, groups }), row, { face, surroundings, onDone }));
  program.addHelpText('after', `\n${face.footer}`);
  return program;
}

function parentOf(row: CommandRow, { face, program, groups }: { readonly face: Face; readonly program: Command; readonly groups: Map<string, Command> }): Command {
  const [group, member] = row.name.split(' ');
  if (group === undefined || member === undefined) return program;
  const known = groups.get(group) ?? program.command(group).description(face.groups[group] ?? '').helpCommand(false);
  groups.set(group, known);
  return known;
}

function addCommand(parent: Command, row: CommandRow, { face, surroundings, onDone }: { readonly face: Face; readonly surroundings: Surroundings; readonly onDone: (code: ExitCode) => void }): Command {
  const command = parent.command(`${row.name.split(' ').at(-1)} ${row.args}`.trim()).description(row.summary).helpCommand(false);
  for (const option of [...row.options, ...face.options()]) command.addOption(option);
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
function reportError({ code, message, nextStep }: HoldfastError, surroundings: Surroundings, { isJson, exitCode, thrown }: { readonly isJson: boolean; readonly exitCode: ExitCode; readonly thrown: unknown }): void {
  const lines = isJson
    ? JSON.stringify({ type: 'error', code, message, nextStep, exitCode })
    : `${message.split('\n').map((line) => `holdfast: ${line}`).join('\n')}${nextStep === undefined ? '' : `\n${nextStep}`}`;
  surroundings.stderr.write(`${isJson ? lines : unsteered(lines)}\n`);
  if (surroundings.environment['HOLDFAST_DEBUG']) surroundings.stderr.write(`${thrown instanceof Error ? (thrown.stack ?? '') : String(thrown)}\n`);
}

function unexpected(cause: unknown): HoldfastError {
  const message = cause instanceof Error ? cause.message : String(cause);
  return new HoldfastError('broken-invariant', `Something unexpected happened: ${message}`, { nextStep: 'This is a bug in Holdfast. Set HOLDFAST_DEBUG=1 to see where, and report it.', cause });
}
