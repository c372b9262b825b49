import * as z from 'zod';
import { HoldfastError } from '../model/errors.ts';

/** One environment variable: what the stack writes into it and the process reads out of it. */
export interface Variable<T> {
  readonly name: string;
  /** Ends the sentence "wanted ...". */
  readonly wanted: string;
  readonly schema: z.ZodType<T>;
  /** JSON in the variable; otherwise its text. */
  readonly isJson: boolean;
  /** Its value is never shown. */
  readonly isSecret?: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;
/** `JSON.stringify`, or a stack's own that knows values which are not there before a deploy. */
export type ToJson = (value: unknown) => string;

type Variables = Readonly<Record<string, Variable<unknown>>>;
type Values<V extends Variables> = { readonly [K in keyof V]: V[K] extends Variable<infer T> ? T : never };

export interface Settings<T> {
  /** Fails as `config-invalid`; one line for each variable that is wrong: its name, the value seen, what was wanted. */
  read(environment: Environment): T;
  /** The environment that reads back as `values`. Checks nothing: at synth, values may not be known yet. */
  write(values: T, toJson?: ToJson): Record<string, string>;
}

/** Settings of one deployable, in the order of its variables. */
export function settingsOf<V extends Variables>(variables: V): Settings<Values<V>> {
  return {
    read: (environment) => {
      const problems: string[] = [];
      const values = Object.entries(variables).map(([key, variable]) => [key, readVariable(variable, environment[variable.name], problems)]);
      if (problems.length > 0) throw invalid(problems);
      return Object.fromEntries(values) as Values<V>;
    },
    write: (values, toJson = JSON.stringify) =>
      Object.fromEntries(Object.entries(variables).map(([key, { name, isJson }]) => [name, isJson ? toJson(values[key]) : String(values[key])])),
  };
}

/** Fails as `config-invalid` when the variable is wrong. */
export function readOne<T>(variable: Variable<T>, environment: Environment): T {
  const problems: string[] = [];
  const value = readVariable(variable, environment[variable.name], problems);
  if (problems.length > 0) throw invalid(problems);
  return value as T;
}

export function invalid(problems: readonly string[]): HoldfastError {
  return new HoldfastError('config-invalid', problems.join('\n'), {
    nextStep: 'Deploy the stack again: it writes these variables. If they were changed by hand, take that back.',
  });
}

function readVariable<T>(variable: Variable<T>, text: string | undefined, problems: string[]): T | undefined {
  if (text === undefined || text === '') {
    problems.push(`${variable.name} is ${text === undefined ? 'not set' : 'empty'}, wanted ${variable.wanted}.`);
    return undefined;
  }
  const json = variable.isJson ? parseJson(text) : text;
  const parsed = variable.schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const place = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')} (${issue.message})`;
  problems.push(`${variable.name} is ${variable.isSecret ? '(not shown)' : shortened(text)}, wanted ${variable.wanted}${place}.`);
  return undefined;
}

/** Undefined for what is not JSON: no schema here takes it. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function shortened(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 197)}...` : text);
}
