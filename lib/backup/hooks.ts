import type { ResolvedHook, ResolvedHooks } from '../config/hooks-schema.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { hookInWords } from './hook-report.ts';
import type { HookName, HookReport } from './hook-report.ts';
import type { BackupOutcome } from './run-backup.ts';
import { runHook } from './run-hook.ts';
import type { HookPlace } from './run-hook.ts';

export interface HookedRun {
  readonly plan: string;
  readonly run: string;
  readonly type: string;
  /** Absent: none. */
  readonly hooks: ResolvedHooks | undefined;
}

export interface HookPorts extends HookPlace {
  /** Asked to stop from outside. */
  readonly signal: AbortSignal;
  /** Told of each command that has ended, well or not; for the log of the run. */
  readonly onHook: (report: HookReport) => void;
}

/** Whoever stopped the run waits for its end: a task in AWS is killed two minutes after it was asked to stop. */
const STOPPED_LIMIT_MILLISECONDS = 30_000;
/** Set for every command, or taken away: a command may be started by a command of another run. */
const VARIABLES = ['HOOK', 'PLAN', 'RUN', 'TYPE', 'STATE', 'BACKUP', 'WARNINGS', 'FILES', 'BYTES', 'STORED_BYTES', 'SECONDS', 'ERROR_CODE', 'ERROR_MESSAGE'] as const;
type Facts = Readonly<Partial<Record<(typeof VARIABLES)[number], string>>>;
/** An environment has limits, and messages may be long. */
const MESSAGE_CHARACTERS = 4000;

/**
 * A run with the commands around it. `before` may stop it: its failure is the run's, and nothing is read. `after` runs when
 * the backup is committed: what it complains of is added as `afterwards`, and the backup stays what it is. `on-failure`
 * runs when anything failed or was stopped, and changes nothing: the failure is thrown on.
 */
export async function withHooks(about: HookedRun, ports: HookPorts, backUp: () => Promise<BackupOutcome>): Promise<BackupOutcome> {
  const { hooks = {} } = about;
  const outcome = await attempt(about, ports, backUp).catch(async (error: unknown) => {
    await tellOfFailure(about, ports, error);
    throw error;
  });
  if (hooks.after === undefined) return outcome;
  const { complaint, ...report } = await performAnyway('after', hooks.after, { about, ports, facts: factsOf(outcome) });
  return complaint === undefined ? outcome : { ...outcome, afterwards: [...(outcome.afterwards ?? []), `${hookInWords({ ...report, complaint })} The backup is committed and not touched by this.`] };
}

async function attempt(about: HookedRun, ports: HookPorts, backUp: () => Promise<BackupOutcome>): Promise<BackupOutcome> {
  const before = about.hooks?.before;
  if (before === undefined) return backUp();
  const report = await performHook('before', before, { about, ports, facts: { STATE: 'running' }, signal: ports.signal });
  if (ports.signal.aborted) throw new HoldfastError('interrupted', hookInWords(report), { nextStep: 'Nothing was read. Run it again.', cause: ports.signal.reason });
  if (report.complaint !== undefined) throw new HoldfastError('source-failed', hookInWords(report), { nextStep: 'Nothing was read, and nothing of this run is kept. Mend what the command says (hooks.before of the plan), and start the backup again.' });
  return backUp();
}

/** Also after a stop: what `before` has halted must be set going again. */
async function tellOfFailure(about: HookedRun, ports: HookPorts, error: unknown): Promise<void> {
  const onFailure = about.hooks?.onFailure;
  if (onFailure === undefined) return;
  const { signal } = ports;
  // Whoever asked it to stop says why; the backup itself knows only that it was.
  const cause: unknown = signal.aborted && isHoldfastError(signal.reason) ? signal.reason : error;
  const code = isHoldfastError(cause) ? cause.code : 'broken-invariant';
  const facts = { STATE: code === 'interrupted' ? 'cancelled' : 'failed', ERROR_CODE: code, ERROR_MESSAGE: cause instanceof Error ? cause.message.slice(0, MESSAGE_CHARACTERS) : String(cause) };
  await performAnyway('on-failure', onFailure, { about, ports, facts });
}

export interface HookCall {
  readonly about: HookedRun;
  readonly ports: HookPorts;
  readonly facts: Facts;
  readonly signal: AbortSignal | undefined;
}

/** Also when the run was or is stopped, which leaves it half a minute: it sets going again what an earlier command has halted. */
export async function performAnyway(name: HookName, hook: ResolvedHook, call: Omit<HookCall, 'signal'>): Promise<HookReport> {
  const { signal, clock } = call.ports;
  if (signal.aborted) return performHook(name, { ...hook, timeoutMs: Math.min(hook.timeoutMs, STOPPED_LIMIT_MILLISECONDS) }, { ...call, signal: undefined });
  const late = new AbortController();
  const over = new AbortController();
  const onAbort = () => void clock.sleep(STOPPED_LIMIT_MILLISECONDS, over.signal).then(() => late.abort(), () => undefined);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await performHook(name, hook, { ...call, signal: late.signal });
  } finally {
    signal.removeEventListener('abort', onAbort);
    over.abort();
  }
}

/** One command of a run, with the variables that tell about it; an abort of `signal` ends it. */
export async function performHook(name: HookName, hook: ResolvedHook, call: HookCall): Promise<HookReport> {
  const { ports, signal } = call;
  const report = await runHook(name, hook, { ...ports, environment: toldEnvironment(name, call) }, { timeoutMs: hook.timeoutMs, signal });
  ports.onHook(report);
  return report;
}

/** What a command sees: the environment, and what is known of the run. */
export function toldEnvironment(name: HookName, { about, ports, facts }: Omit<HookCall, 'signal'>): HookPorts['environment'] {
  const known: Facts = { HOOK: name, PLAN: about.plan, RUN: about.run, TYPE: about.type, ...facts };
  return { ...ports.environment, ...Object.fromEntries(VARIABLES.map((key) => [`HOLDFAST_${key}`, known[key]?.replaceAll('\0', '')])) };
}

function factsOf({ manifest, statistics }: BackupOutcome): Facts {
  const { bytes, storedBytes, files, durationMilliseconds } = statistics;
  return {
    STATE: manifest.warnings.length > 0 ? 'warnings' : 'completed', BACKUP: manifest.backup, WARNINGS: String(manifest.warnings.length),
    FILES: String(files), BYTES: String(bytes), STORED_BYTES: String(storedBytes), SECONDS: String(Math.round(durationMilliseconds / 1000)),
  };
}
