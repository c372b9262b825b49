import { ERROR_CODES, isHoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';

/** How an error travels through Step Functions, which knows a name and a text. */
export interface WorkflowFailure {
  /** The error's code. */
  readonly error: string;
  /** `code: message`, then a line `Next: ...`; for people in the console as well. At most 32,768 characters. */
  readonly cause: string;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly nextStep?: string;
}

/** Far below what Step Functions takes, so that the execution's history stays readable. */
const MAX_CAUSE_CHARACTERS = 8000;

/** What AWS itself reports: its own names for what happened to a step. */
const AWS_ERRORS: Readonly<Record<string, Failure>> = {
  'States.Timeout': { code: 'unavailable', message: 'The restore did not end in the time it was given.', nextStep: "Look at the task's log, raise the limit or restore fewer entries, and start a new execution." },
  'States.HeartbeatTimeout': { code: 'unavailable', message: 'The restore task stopped answering, or never began: it was killed, lost its connection, or ECS had no place for it.', nextStep: "Look at the task's log and its stop reason in ECS; without a task, at the answer of RunTask in the execution. Then start a new execution." },
};

/** An error of a step or of the worker, ready for `SendTaskFailure` or to be thrown by a function. */
export function toWorkflowFailure(error: unknown): WorkflowFailure {
  const failure = failureOf(error);
  return { error: failure.code, cause: failureText(failure) };
}

/** `code: message`, then a line `Next: ...`. */
export function failureText({ code, message, nextStep }: Failure): string {
  return `${code}: ${message}${nextStep === undefined ? '' : `\nNext: ${nextStep}`}`.slice(0, MAX_CAUSE_CHARACTERS);
}

/** The words of an error; a foreign one counts as `broken-invariant`. */
export function failureOf(error: unknown): Failure {
  if (!isHoldfastError(error)) return { code: 'broken-invariant', message: error instanceof Error ? error.message : String(error), nextStep: 'This is a bug in Holdfast: report it with the log.' };
  return { code: error.code, message: error.message, ...(error.nextStep !== undefined && { nextStep: error.nextStep }) };
}

/**
 * Reads what `Catch` gives: `{Error, Cause}`. A function's cause is JSON with `errorMessage`, a task's is the text
 * itself, and ECS reports refusals and stop reasons in its own words.
 */
export function fromWorkflowFailure({ Error: name = '', Cause: cause = '' }: { readonly Error?: string | undefined; readonly Cause?: string | undefined }): Failure {
  const text = messageOf(cause);
  const [, code = '', message = ''] = /^([a-z-]+): ([^]*)$/.exec(text) ?? [];
  if (isCode(code)) {
    const [said = '', nextStep] = message.split('\nNext: ');
    return { code, message: said, ...(nextStep !== undefined && { nextStep }) };
  }
  return AWS_ERRORS[name] ?? { code: 'unavailable', message: `A step of the restore failed with ${name || 'no name'}: ${text.slice(0, 1000) || 'no cause was given'}`, nextStep: 'Look at the execution in the Step Functions console, then start a new one.' };
}

function messageOf(cause: string): string {
  try {
    const { errorMessage } = JSON.parse(cause) as { errorMessage?: unknown };
    return typeof errorMessage === 'string' ? errorMessage : cause;
  } catch {
    return cause;
  }
}

function isCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}
