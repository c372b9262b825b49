import { execFile } from 'node:child_process';
import { closeSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { ByteString } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { attributesAt } from './attributes.ts';
import { isProgram } from './client-programs.ts';
import { withoutSecrets } from './output-tail.ts';
import { makePipe } from './pipe.ts';
import type { ProcessEnd } from './process-group.ts';
import { complaintAbout, endAllWithFailed, startProgram } from './program.ts';
import type { Program } from './program.ts';
import { ProgramStream } from './program-stream.ts';
import { hasPipe, shellFor } from './shell.ts';
import type { OpenStream, SourceStream, StreamProof, StreamSeen, StreamSource } from './source.ts';

export interface CommandOptions {
  /** A line for a shell in which a pipe fails when any part of it does, or a program with its arguments. */
  readonly command: string | readonly string[];
  /** Name of the entry. */
  readonly name: ByteString;
  /** Bytes; less output fails the run. */
  readonly minimumBytes: number;
  /** Text that the last 4 KiB of the output must contain. */
  readonly endMarker?: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder?: string;
  /** Values that must not be seen in any message. */
  readonly secrets?: readonly string[];
  /** Where the pipe is made for a moment. */
  readonly temporaryFolder: string;
  readonly clock: Clock;
}

/** A command whose standard output is the backup (S12). */
export class CommandSource implements StreamSource {
  readonly shape = 'streams';
  readonly type = 'command';
  readonly description: string;
  readonly #options: CommandOptions;
  #shell: Promise<readonly string[]> | undefined;

  constructor(options: CommandOptions) {
    this.#options = options;
    const { command, secrets = [] } = options;
    this.description = withoutSecrets(typeof command === 'string' ? command : command.join(' '), secrets);
  }

  async check(): Promise<void> {
    const { command, environment } = this.#options;
    if (typeof command === 'string') return checkSyntax(await this.#shellFor(command), command, this.description);
    await checkProgram(command[0] ?? '', environment['PATH'] ?? '');
  }

  async *streams(signal: AbortSignal): AsyncIterable<SourceStream> {
    const { name, clock } = this.#options;
    yield { name, attributes: attributesAt(clock.now()), open: () => this.#open(signal) };
  }

  /** Asked once: every attempt of a run uses the same one. */
  #shellFor(line: string): Promise<readonly string[]> {
    this.#shell ??= shellFor(line, this.#options.environment);
    return this.#shell;
  }

  async #open(signal: AbortSignal): Promise<OpenStream> {
    signal.throwIfAborted();
    const { command, environment, folder, temporaryFolder, secrets = [], clock } = this.#options;
    const words = typeof command === 'string' ? [...(await this.#shellFor(command)), '-c', command] : command;
    const pipe = await makePipe(temporaryFolder);
    try {
      const program = startProgram(words, { stdout: pipe.writeEnd, environment, folder, secrets, clock });
      const stream = new ProgramStream({ programs: [program], fd: pipe.readEnd, what: `The command \`${this.description}\``, signal });
      return new RunningCommand(this.description, this.#options, program, stream);
    } finally {
      closeSync(pipe.writeEnd);
    }
  }
}

class RunningCommand implements OpenStream {
  readonly fd: number;
  readonly #what: string;
  readonly #wanted: Wanted;
  readonly #program: Program;
  readonly #stream: ProgramStream;

  constructor(what: string, wanted: Wanted, program: Program, stream: ProgramStream) {
    this.fd = stream.fd;
    this.#what = what;
    this.#wanted = wanted;
    this.#program = program;
    this.#stream = stream;
    endAllWithFailed(program);
  }

  async finish({ bytes, tail }: StreamSeen): Promise<StreamProof> {
    const end = await this.#program.group.ended;
    this.#stream.throwIfStopped(bytes);
    const complaint = complaintAboutRun(end, bytes, tail, this.#wanted);
    if (complaint !== undefined) throw await this.#failed(complaint, end);
    this.#stream.markProved();
    const marker = this.#wanted.endMarker === undefined ? [] : ['end marker seen'];
    return { bytes, evidence: ['exit code 0', ...marker] };
  }

  close(): Promise<void> {
    return this.#stream.close();
  }

  async #failed(complaint: string, { startError }: ProcessEnd): Promise<HoldfastError> {
    await this.#program.group.kill();
    const said = this.#program.said.text();
    const message = `The command \`${this.#what}\` ${complaint}.${said === '' ? '' : ` It said: ${said}`}`;
    return new HoldfastError('source-failed', message, { nextStep: 'Nothing of this run is kept. Run the command by hand, mend what it says, and start the backup again.', cause: startError });
  }
}

type Wanted = Pick<CommandOptions, 'command' | 'minimumBytes' | 'endMarker'>;

/** 128 + SIGPIPE, as a shell tells it. */
const BROKEN_PIPE = 141;

function complaintAboutRun(end: ProcessEnd, bytes: number, tail: Uint8Array, { command, minimumBytes, endMarker }: Wanted): string | undefined {
  if (end.code === BROKEN_PIPE && typeof command === 'string' && hasPipe(command)) return `ended with exit code 141 after ${bytes} bytes, wanted 0: a part of its pipe stopped reading (as \`head\` does) while the part before was still writing`;
  const complaint = complaintAbout(end, bytes);
  if (complaint !== undefined) return complaint;
  if (bytes < minimumBytes) return `wrote ${bytes} bytes, wanted at least ${minimumBytes}`;
  if (endMarker !== undefined && !Buffer.from(tail).includes(endMarker)) return `wrote ${bytes} bytes without the end marker ${JSON.stringify(endMarker)} in the last ${tail.length}: the output was cut`;
  return undefined;
}

async function checkSyntax([shell = 'sh', ...options]: readonly string[], command: string, what: string): Promise<void> {
  await promisify(execFile)(shell, [...options, '-n', '-c', command]).catch((cause: { code?: unknown }) => {
    throw new HoldfastError('source-failed', `The shell does not understand the command \`${what}\` (${shell} -n ended with ${String(cause.code)}).`, { nextStep: `Try it with \`${shell} -c\`.` });
  });
}

async function checkProgram(program: string, path: string): Promise<void> {
  const places = program.includes('/') ? [program] : path.split(delimiter).map((folder) => join(folder, program));
  for (const place of places) {
    if (await isProgram(place)) return;
  }
  throw new HoldfastError('source-failed', `The program ${program} is not there, or may not be run.`, { nextStep: 'Install it, or give its whole path.' });
}
