import type * as z from 'zod';
import { closestWord } from './closest-word.ts';
import { KEY_SEPARATOR } from './schema-words.ts';

export type ConfigPath = readonly (string | number)[];

/** One thing that is wrong, ready to be shown behind the file name and line number. */
export interface Problem {
  readonly path: ConfigPath;
  /** Begins with the path, then the value seen and what was wanted. */
  readonly text: string;
}

/** Keys whose value is never shown, not even when it is wrong: it may be the secret itself. */
const SECRET_KEYS: ReadonlySet<string> = new Set(['passphrase', 'password', 'slack', 'endpoint']);

/** Keys that are promised and not there yet, so that nobody searches for a typing error. */
const NOT_YET: Readonly<Record<string, string>> = {
  monitors: 'monitors are not there yet',
  'recovery-plans': 'recovery plans are not there yet',
};

/** Every issue that zod found in `input`, in the order of the schema. */
export function schemaProblems(issues: readonly z.core.$ZodIssue[], input: unknown): Problem[] {
  return issues.flatMap((issue) => issueProblems(issue, [], input));
}

export function wrongValue(path: ConfigPath, seen: unknown, wanted: string): Problem {
  if (seen === undefined) return { path, text: `${pathText(path)} is missing, wanted ${wanted}` };
  const last = path.findLast((part) => typeof part === 'string');
  const shown = last !== undefined && SECRET_KEYS.has(last) ? '(not shown)' : valueText(seen);
  return { path, text: `${pathText(path)} is ${shown}, wanted ${wanted}` };
}

/** Something that is understood and may not stand there. */
export function refused(path: ConfigPath, reason: string): Problem {
  return { path, text: `${pathText(path)} is refused: ${reason}` };
}

/** A name that refers to nothing, with the closest that exists. */
export function unknownName(path: ConfigPath, seen: string, known: readonly string[]): Problem {
  const closest = closestWord(seen, known);
  return wrongValue(path, seen, closest === undefined ? `one of ${known.join(', ')}` : `one of ${known.join(', ')} (did you mean "${closest}"?)`);
}

/** `plans.db.source.paths[0]`; names with other characters are quoted. */
export function pathText(path: ConfigPath): string {
  if (path.length === 0) return 'the file';
  return path.map((part, index) => {
    if (typeof part === 'number') return `[${part}]`;
    if (!/^[\w-]+$/.test(part)) return `[${JSON.stringify(part)}]`;
    return index === 0 ? part : `.${part}`;
  }).join('');
}

function issueProblems(issue: z.core.$ZodIssue, above: ConfigPath, input: unknown): Problem[] {
  const path = [...above, ...issue.path.filter((part) => typeof part !== 'symbol')];
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, issue.message.split(KEY_SEPARATOR)));
  if (issue.code === 'invalid_key') return [{ path, text: `${pathText(path)} is not a good name, wanted ${issue.issues[0]?.message ?? 'another name'}` }];
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch !== undefined) return branch.flatMap((inner) => issueProblems(inner, path, input));
  }
  return [wrongValue(path, valueAt(input, path), issue.message)];
}

/** The branch of a union that took the value as its own kind and found something wrong inside it. */
function closestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] | undefined {
  return branches.find((issues) => issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'));
}

/** The value of an unknown key is never shown: it may be a secret under a mistyped name. */
function unknownKey(parent: ConfigPath, key: string, known: readonly string[]): Problem {
  const path = [...parent, key];
  const later = NOT_YET[key];
  if (later !== undefined) return refused(path, later);
  const closest = closestWord(key, known);
  const wanted = closest === undefined ? `wanted one of ${known.join(', ')}` : `did you mean "${closest}"?`;
  return { path, text: `${pathText(path)} is not a known key, ${wanted}` };
}

function valueAt(input: unknown, path: ConfigPath): unknown {
  return path.reduce<unknown>((value, part) => (typeof value === 'object' && value !== null && Object.hasOwn(value, part) ? (value as Record<string | number, unknown>)[part] : undefined), input);
}

/** Maps and lists are counted, not printed: what lies in them may be long or secret. */
function valueText(value: unknown): string {
  if (value === null) return 'empty';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  if (typeof value === 'object') return 'a map';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
