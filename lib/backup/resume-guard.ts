import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { HoldfastError } from '../model/errors.ts';

/**
 * Reads what stands still, a line for each, and then `done`. When its input ends before, whoever wrote there was killed:
 * containers first, the last that was stopped at the head, then the command. Nobody may be left to read what is said.
 */
const SCRIPT = `
trap '' HUP INT TERM PIPE
program=$1
shift
stopped=
while read -r word name seconds; do
  case $word in
    stopping) stopped="$name:$seconds $stopped" ;;
    done) exit 0 ;;
  esac
done
tell() { echo "holdfast was killed while others stood still for it: $1" >&2; }
going() { "$@" >/dev/null 2>&1 && tell "done: $*" || tell "FAILED, it may stand still: $*"; }
trap - HUP INT TERM
for one in $stopped; do
  # Its daemon may still be stopping it: started now, it would stop a moment later.
  "$program" stop -t "\${one##*:}" "\${one%:*}" >/dev/null 2>&1
  going "$program" start "\${one%:*}"
done
[ $# -eq 0 ] || going "$@"
`;

export interface GuardPlace {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
}

/**
 * A shell that outlives this process: when it is killed while writers stand still for it (`kill -9`, out of memory, a second
 * Ctrl-C), the shell sets them going again. It cannot outlive the machine, nor the container that this process is the first of.
 */
export class ResumeGuard {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;

  /** `program` starts containers; `resume`: a program and its arguments, or nothing. Fails as `source-failed`. */
  static async start({ program, resume }: { readonly program: string | undefined; readonly resume: readonly string[] }, { environment, folder }: GuardPlace): Promise<ResumeGuard> {
    const child = spawn('sh', ['-c', SCRIPT, 'holdfast-resume', program ?? '', ...resume], { detached: true, stdio: ['pipe', 'ignore', 'inherit'], env: environment, cwd: folder });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => reject(new HoldfastError('source-failed', `No shell could be started that would set everything going again if this process is killed: ${cause.message}.`, { nextStep: 'Nothing was halted and nothing was read. Check that sh is in PATH.', cause })));
    });
    return new ResumeGuard(child);
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('exit', () => resolve()));
    // It went first: nobody to tell.
    child.stdin?.on('error', () => undefined);
  }

  /** Resolves when the guard has been told, before the container is. */
  stopping(container: string, stopSeconds: number): Promise<void> {
    return this.#say(`stopping ${container} ${stopSeconds}`);
  }

  /** Everything goes again, or somebody was told that it does not. */
  async release(): Promise<void> {
    await this.#say('done');
    this.#child.stdin?.end();
    await this.#ended;
  }

  #say(line: string): Promise<void> {
    return new Promise((resolve) => this.#child.stdin?.write(`${line}\n`, () => resolve()));
  }
}
