import { chooseEntries } from '../../../lib/sources/postgres/choose-entries.ts';
import type { TocEntry } from '../../../lib/sources/postgres/toc.ts';

const ENTRIES = [
  entry(1, 'SEQUENCE', 'ids'), entry(2, 'TABLE', 'base'), entry(3, 'TABLE', 'lost'), entry(4, 'VIEW', 'seen', [2]),
  entry(5, 'DEFAULT', 'base id', [1, 2]), entry(6, 'DEFAULT', 'lost id', [1, 3]),
  entry(7, 'TABLE DATA', 'base', [2]), entry(8, 'TABLE DATA', 'lost', [3]), entry(9, 'SEQUENCE SET', 'ids', [1]),
  entry(10, 'ACL', 'TABLE base', [2]), entry(11, 'ACL', 'VIEW seen', [4]), entry(12, 'COMMENT', 'SEQUENCE ids', [1]),
];

function entry(id: number, kind: string, name: string, needs: readonly number[] = []): TocEntry {
  return { id, kind, name, schema: 'public', needs } as unknown as TocEntry;
}

function restored(table: string, there: readonly string[]): string[] {
  return chooseEntries(ENTRIES, { tables: [table], schemas: [] }, ({ kind, name }) => there.includes(`${kind} ${name}`)).entries.map(({ kind, name }) => `${kind} ${name}`);
}

describe('a chosen table (R1)', () => {
  it('leaves the number of a sequence that is there where it is: other tables take theirs from it', () => {
    expect(restored('lost', ['SEQUENCE ids', 'TABLE base'])).toEqual(['TABLE lost', 'DEFAULT lost id', 'TABLE DATA lost']);
  });

  it('brings a sequence that is not there with its number', () => {
    expect(restored('lost', ['TABLE base'])).toEqual(['SEQUENCE ids', 'TABLE lost', 'DEFAULT lost id', 'TABLE DATA lost', 'SEQUENCE SET ids', 'COMMENT SEQUENCE ids']);
  });

  it('that is a view adds no rows to the table behind it, and changes none of its privileges', () => {
    expect(restored('seen', ['SEQUENCE ids', 'TABLE base'])).toEqual(['VIEW seen', 'ACL VIEW seen']);
  });
});
