import { chooseEntries } from '../../../lib/sources/postgres/choose-entries.ts';
import type { TocEntry } from '../../../lib/sources/postgres/toc.ts';

const ENTRIES = [
  entry(1, 'SEQUENCE', 'ids'), entry(2, 'TABLE', 'base'), entry(3, 'TABLE', 'lost'), entry(4, 'VIEW', 'seen', [2]),
  entry(5, 'DEFAULT', 'base id', [1, 2]), entry(6, 'DEFAULT', 'lost id', [1, 3]),
  entry(7, 'TABLE DATA', 'base', [2]), entry(8, 'TABLE DATA', 'lost', [3]), entry(9, 'SEQUENCE SET', 'ids', [1]),
  entry(10, 'ACL', 'TABLE base', [2]), entry(11, 'ACL', 'VIEW seen', [4]), entry(12, 'COMMENT', 'SEQUENCE ids', [1]),
  entry(13, 'CONSTRAINT', 'lost lost_pkey', [3]), entry(14, 'CONSTRAINT', 'base base_pkey', [2]), entry(15, 'FK CONSTRAINT', 'base base_lost_fkey', [13, 2, 3]), entry(16, 'POLICY', 'lost some', [3, 2]),
];

function entry(id: number, kind: string, name: string, needs: readonly number[] = []): TocEntry {
  return { id, kind, name, schema: 'public', needs } as unknown as TocEntry;
}

function restored(tables: readonly string[], there: readonly string[]): string[] {
  return chooseEntries(ENTRIES, { tables, schemas: [] }, ({ kind, name }) => there.includes(`${kind} ${name}`)).entries.map(({ kind, name }) => `${kind} ${name}`);
}

describe('a chosen table (R1)', () => {
  it('leaves the number of a sequence that is there where it is: other tables take theirs from it', () => {
    expect(restored(['lost'], ['SEQUENCE ids', 'TABLE base'])).toEqual(['TABLE lost', 'DEFAULT lost id', 'TABLE DATA lost', 'CONSTRAINT lost lost_pkey']);
  });

  it('brings a sequence that is not there with its number', () => {
    expect(restored(['lost'], ['TABLE base'])).toEqual(['SEQUENCE ids', 'TABLE lost', 'DEFAULT lost id', 'TABLE DATA lost', 'SEQUENCE SET ids', 'COMMENT SEQUENCE ids', 'CONSTRAINT lost lost_pkey']);
  });

  it('that is a view adds no rows to the table behind it, and changes none of its privileges', () => {
    expect(restored(['seen'], ['SEQUENCE ids', 'TABLE base'])).toEqual(['VIEW seen', 'ACL VIEW seen']);
  });

  it('beside a view puts nothing on the table behind the view, and has what only points at that table', () => {
    const entries = restored(['lost', 'seen'], ['TABLE base']);
    expect(entries).toEqual(expect.arrayContaining(['TABLE lost', 'VIEW seen', 'DEFAULT lost id', 'POLICY lost some']));
    expect(entries.filter((name) => / base( |$)/.test(name))).toEqual([]);
    const { leftOut } = chooseEntries(ENTRIES, { tables: ['lost', 'seen'], schemas: [] }, ({ name }) => name === 'base');
    expect(leftOut.map(({ kind, name }) => `${kind} ${name}`)).toEqual(['DEFAULT base id', 'FK CONSTRAINT base base_lost_fkey']);
  });
});
