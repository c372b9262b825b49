import { execFile } from 'node:child_process';
import { OutputTail } from './output-tail.ts';

export interface Question {
  /** By standard input: every user of the machine sees arguments. */
  readonly input: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal | undefined;
  /** What must be seen in no message. */
  readonly secrets: readonly string[];
  /** After so long it is ended, and `code` says by what. */
  readonly timeoutMs?: number | undefined;
}

export interface Answer {
  /** The exit code, or what else ended it: a signal, the reason why it could not be started. */
  readonly code: unknown;
  /** Its standard output, as UTF-8. */
  readonly text: string;
  /** The end of its standard error as one line, or nothing. */
  readonly said: string;
}

const MAX_BYTES = 64 * 1024 * 1024;

/** Runs the command line program of a server to its end. Throws only when the signal comes. */
export async function askProgram(program: string, args: readonly string[], { input, environment, signal, secrets, timeoutMs }: Question): Promise<Answer> {
  const { stderr, ...answer } = await new Promise<Omit<Answer, 'said'> & { readonly stderr: Buffer }>((resolve) => {
    const child = execFile(program, [...args], { env: environment, maxBuffer: MAX_BYTES, encoding: 'buffer', killSignal: 'SIGTERM', ...(timeoutMs !== undefined && { timeout: timeoutMs }), ...(signal && { signal }) }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? error.message), text: stdout.toString('utf8'), stderr });
    });
    child.stdin?.on('error', () => undefined); // It ended before it read everything; its exit code tells why.
    child.stdin?.end(input);
  });
  signal?.throwIfAborted();
  const said = new OutputTail(secrets);
  said.add(stderr);
  return { ...answer, said: said.text() };
}
