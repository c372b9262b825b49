import { matches } from '../../../lib/sources/search/choose-indices.ts';

describe('patterns of names', () => {
  it.each<[pattern: string, matching: readonly string[], other: readonly string[]]>([
    ['*', ['a', '.a'], []],
    ['log-*', ['log-', 'log-1'], ['log', 'a-log-1']],
    ['*-2026', ['log-2026'], ['log-2026-1']],
    ['a*b*c', ['abc', 'a-b-c', 'aXbYbZc'], ['ab', 'acb', 'abcd']],
    ['aba*aba', ['abaaba', 'aba-aba'], ['aba', 'ababa']],
    ['a.b', ['a.b'], ['axb']],
  ])('%s', (pattern, matching, other) => {
    for (const name of matching) expect([name, matches(pattern, name)]).toEqual([name, true]);
    for (const name of other) expect([name, matches(pattern, name)]).toEqual([name, false]);
  });
});
