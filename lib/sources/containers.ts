import { HoldfastError } from '../model/errors.ts';
import { askProgram } from './ask-program.ts';
import { findAnyProgram } from './client-programs.ts';

/** The command line programs that can stop and start containers, the most usual first. */
const PROGRAMS = ['docker', 'podman'] as const;

/** A daemon may hang on one container, while others stand still. */
const PATIENCE_MILLISECONDS = 60_000;

export interface ContainerPlaces {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
  readonly secrets: readonly string[];
}

export interface ContainerState {
  readonly isRunning: boolean;
  /** Of its last end. */
  readonly exitCode: number;
}

/** Path of the program that was named, or of the first that is there. Fails as `source-failed`. */
export async function findContainerProgram(wanted: (typeof PROGRAMS)[number] | undefined, environment: ContainerPlaces['environment']): Promise<string> {
  const names = wanted === undefined ? PROGRAMS : [wanted];
  const program = await findAnyProgram(names, { environment });
  if (program !== undefined) return program;
  throw new HoldfastError('source-failed', `${names.join(' or ')} is not in PATH, and containers are to be stopped and started.`, { nextStep: 'Install it, or put its folder into PATH: cron has a shorter one than you.' });
}

/** Fails as `source-failed` when there is no such container, or nobody who could tell. */
export async function inspectContainer(program: string, name: string, { environment, signal, secrets }: ContainerPlaces): Promise<ContainerState> {
  const { code, text, said } = await askProgram(program, ['inspect', '--type', 'container', '--format', '{{.State.Running}} {{.State.ExitCode}}', name], { input: '', environment, signal, secrets, timeoutMs: PATIENCE_MILLISECONDS });
  const [, running, exitCode] = /^(true|false) (\d+)\s*$/.exec(text) ?? [];
  if (code === 0 && running !== undefined) return { isRunning: running === 'true', exitCode: Number(exitCode) };
  throw new HoldfastError('source-failed', `The container ${name} could not be looked at: ${program} inspect ended with ${String(code)}, wanted 0.${said === '' ? '' : ` It said: ${said}`}`, {
    nextStep: `Check its name with \`${program} ps --all\`, and that this user may use ${program}.`,
  });
}
