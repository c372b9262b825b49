import type { ConfigPath, Problem } from './problems.ts';
import { wrongValue } from './problems.ts';

/** The first level of an event; a pattern with another key matches nothing, in silence. */
const KEYS = ['source', 'detail-type', 'detail', 'resources', 'account', 'region', 'id', 'time', 'version', '$or'];
const WANTED = 'a list of values, or a map of them';

/** What EventBridge would refuse or never match: every leaf of a pattern is a list with something in it. */
export function eventPatternProblems(at: ConfigPath, pattern: Readonly<Record<string, unknown>>): Problem[] {
  if (Object.keys(pattern).length === 0) return [wrongValue(at, pattern, 'at least one of source, detail-type, detail: an empty pattern would match every event')];
  const strangers = Object.keys(pattern).filter((key) => !KEYS.includes(key));
  return [
    ...strangers.map((key) => ({ path: [...at, key], text: wrongValue([...at, key], pattern[key], `one of the keys of an event: ${KEYS.join(', ')}`).text })),
    ...Object.entries(pattern).filter(([key]) => KEYS.includes(key)).flatMap(([key, value]) => leafProblems([...at, key], value)),
  ];
}

function leafProblems(at: ConfigPath, value: unknown): Problem[] {
  if (Array.isArray(value)) return value.length > 0 ? [] : [wrongValue(at, value, WANTED)];
  if (typeof value !== 'object' || value === null || Object.keys(value).length === 0) return [wrongValue(at, value, WANTED)];
  return Object.entries(value).flatMap(([key, inner]) => leafProblems([...at, key], inner));
}
