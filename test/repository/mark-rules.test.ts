import { encodeMark, encodeRuling, isRunTooOld, isVoid, judgeMarks, names, readMarks, readRuling, rulingNameOf } from '../../lib/repository/index.ts';
import type { Mark, Ruling } from '../../lib/repository/index.ts';
import { memoryVault } from '../support/vault.ts';

const HOUR = 3_600_000;
const NOW = 1_700_000_000_000;

function mark(packId: string, ageHours: number, ruling: Ruling | 'undecided' = 'undecided'): Mark {
  return { name: `condemned/${packId}.m`, packId, storedAt: NOW - ageHours * HOUR, ruling, ruledAt: ruling === 'undecided' ? undefined : NOW };
}

describe('what a writer may do with marked packs', () => {
  const ROWS: readonly (readonly [string, readonly Mark[], string | undefined, string | undefined])[] = [
    ['no mark', [], undefined, undefined],
    ['a fresh mark', [mark('p', 0)], 'absent', 'usable'],
    ['a mark under 22 h', [mark('p', 21.99)], 'absent', 'usable'],
    ['a mark of 22 h', [mark('p', 22)], 'absent', 'reread'],
    ['an old mark beside a fresh one', [mark('p', 23), mark('p', 1)], 'absent', 'reread'],
    ['a fresh mark beside an old one', [mark('p', 1), mark('p', 23)], 'absent', 'reread'],
    ['a doomed mark, however fresh', [mark('p', 1, 'doomed')], 'absent', 'reread'],
    ['a spared mark', [mark('p', 100, 'spared')], undefined, undefined],
    ['a spared mark beside an undecided one', [mark('p', 100, 'spared'), mark('p', 1)], 'absent', 'usable'],
    ['a spared mark beside a doomed one', [mark('p', 100, 'spared'), mark('p', 50, 'doomed')], 'absent', 'reread'],
  ];

  it.each(ROWS)('%s', (_, marks, first, second) => {
    expect(judgeMarks({ at: NOW, marks, orphanRulings: [] }, 'first').get('p')).toBe(first);
    expect(judgeMarks({ at: NOW, marks, orphanRulings: [] }, 'second').get('p')).toBe(second);
  });

  it('holds a snapshot void when it was stored more than an hour after the look, and not a millisecond earlier', () => {
    expect(isVoid(NOW, NOW + HOUR)).toBe(false);
    expect(isVoid(NOW, NOW + HOUR + 1)).toBe(true);
  });

  it('lets a run commit for thirty days', () => {
    expect(isRunTooOld(NOW, NOW + 30 * 24 * HOUR)).toBe(false);
    expect(isRunTooOld(NOW, NOW + 30 * 24 * HOUR + 1)).toBe(true);
  });
});

describe('a look at condemned/', () => {
  it('reads marks with their rulings, and rulings whose mark is gone', async () => {
    const { store, clock } = memoryVault();
    const [doomed, open, orphan] = [names.condemned('aa', 'M1'), names.condemned('bb', 'M2'), names.condemned('cc', 'M3')];
    await store.put(doomed, encodeMark('packs/hot/w/aa/aa'));
    await store.put(open, encodeMark('packs/hot/w/bb/bb'));
    clock.advance(HOUR);
    await store.put(rulingNameOf(doomed), encodeRuling('doomed'));
    await store.put(rulingNameOf(orphan), encodeRuling('spared'));
    clock.advance(HOUR);
    expect(await readMarks(store)).toEqual({
      at: clock.now(),
      marks: [
        { name: doomed, packId: 'aa', storedAt: clock.now() - 2 * HOUR, ruling: 'doomed', ruledAt: clock.now() - HOUR },
        { name: open, packId: 'bb', storedAt: clock.now() - 2 * HOUR, ruling: 'undecided', ruledAt: undefined },
      ],
      orphanRulings: [rulingNameOf(orphan)],
    });
  });

  it('reads the time before it lists, so that whatever was there at that time was seen', async () => {
    const { store, clock } = memoryVault();
    const order: string[] = [];
    const watched = {
      get: (name: string) => store.get(name),
      now: async () => {
        order.push('now');
        return store.now();
      },
      list: (prefix: string) => {
        order.push(`list ${prefix}`);
        return store.list(prefix);
      },
    };
    expect((await readMarks(watched)).at).toBe(clock.now());
    expect(order).toEqual(['now', 'list condemned/']);
  });

  it('keeps writers away from a pack whose ruling says something else, and obeys no such ruling', async () => {
    const { store } = memoryVault();
    await store.put(names.condemned('aa', 'M1'), encodeMark('packs/hot/w/aa/aa'));
    await store.put(rulingNameOf(names.condemned('aa', 'M1')), Buffer.from('{"ruling":"perhaps"}'));
    const marks = await readMarks(store);
    expect(marks.marks.map(({ ruling }) => ruling)).toEqual(['unreadable']);
    expect([judgeMarks(marks, 'first').get('aa'), judgeMarks(marks, 'second').get('aa')]).toEqual(['absent', 'reread']);
    await expect(readRuling(store, names.condemned('aa', 'M1'))).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('"perhaps"') });
  });
});
