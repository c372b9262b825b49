import { readVerdicts, sealJson, standingVerdict, writeVerdict } from '../../lib/repository/index.ts';
import type { Verdict } from '../../lib/repository/index.ts';
import { memoryVault } from '../support/vault.ts';

const BACKUP = '01HF7YAT00M78607F3QWQW5D9F';

function verdicts(...found: readonly (readonly [Verdict['level'], Verdict['result']])[]) {
  return { verdicts: found.map(([level, result], at) => ({ backup: BACKUP, level, result, at, damaged: [] })), unreadable: [] };
}

describe('verdicts', () => {
  it('are read back in the order of the store\'s time, which the writer does not choose', async () => {
    const { repository, clock } = memoryVault();
    await writeVerdict(repository, { backup: BACKUP, level: 'full', result: 'corrupted', damaged: [{ name: 'packs/hot/x', problem: 'gone' }] });
    clock.advance(1000);
    await writeVerdict(repository, { backup: BACKUP, level: 'sample', result: 'good', damaged: [] });
    const read = await readVerdicts(repository, BACKUP);
    expect(read.verdicts.map((verdict) => [verdict.level, verdict.at])).toEqual([['full', clock.now() - 1000], ['sample', clock.now()]]);
    expect(read.verdicts[0]?.damaged).toEqual([{ name: 'packs/hot/x', problem: 'gone' }]);
  });

  it('say nothing readable in the vault', async () => {
    const { repository, store } = memoryVault();
    await writeVerdict(repository, { backup: BACKUP, level: 'full', result: 'corrupted', damaged: [{ name: 'packs/hot/x', problem: 'SECRET' }] });
    for await (const { name } of store.list('verdicts/')) expect(Buffer.from(await store.get(name)).toString('latin1')).not.toMatch(/SECRET|corrupted/);
  });

  it('are not believed under another backup, or with a flipped byte, and the others still count', async () => {
    const { repository, store } = memoryVault();
    await writeVerdict(repository, { backup: BACKUP, level: 'commit', result: 'good', damaged: [] });
    const name = (await Array.fromAsync(store.list('verdicts/')))[0]?.name ?? '';
    const bytes = await store.get(name);
    await store.put('verdicts/OTHER/01HF7YAT00M78607F3QWQW5D9G', bytes);
    expect(await readVerdicts(repository, 'OTHER')).toEqual({ verdicts: [], unreadable: ['verdicts/OTHER/01HF7YAT00M78607F3QWQW5D9G'] });
    bytes[40] = (bytes[40] ?? 0) ^ 1;
    await store.put(`verdicts/${BACKUP}/01HF7YAT00M78607F3QWQW5D9H`, bytes);
    const read = await readVerdicts(repository, BACKUP);
    expect(read.verdicts).toHaveLength(1);
    expect(read.unreadable).toEqual([`verdicts/${BACKUP}/01HF7YAT00M78607F3QWQW5D9H`]);
  });

  it('of no whole millisecond are none, whoever sealed them: no catalog could keep them', async () => {
    const { repository, store } = memoryVault();
    const name = `verdicts/${BACKUP}/01HF7YAT00M78607F3QWQW5D9J`;
    await store.put(name, sealJson(repository.keys, 'verdict', name, { backup: BACKUP, level: 'full', result: 'good', at: 0.5, damaged: [] }, repository.cipher));
    expect(await readVerdicts(repository, BACKUP)).toEqual({ verdicts: [], unreadable: [name] });
  });

  const ROWS: readonly (readonly [string, ReturnType<typeof verdicts>, string | undefined])[] = [
    ['nothing judged', verdicts(), undefined],
    ['stored in time', verdicts(['commit', 'good']), 'good'],
    ['void is final', verdicts(['commit', 'void'], ['full', 'good']), 'void'],
    ['void is final, also when it comes late', verdicts(['full', 'good'], ['commit', 'void'], ['full', 'good']), 'void'],
    ['corrupted after good', verdicts(['full', 'good'], ['full', 'corrupted']), 'corrupted'],
    ['healed and read in full', verdicts(['full', 'corrupted'], ['full', 'good']), 'good'],
    ['damaged data is not lifted by a look at the structure', verdicts(['full', 'corrupted'], ['structure', 'good']), 'corrupted'],
    ['damaged data is not lifted by another sample', verdicts(['sample', 'corrupted'], ['sample', 'good']), 'corrupted'],
    ['a damaged structure is lifted by any later look', verdicts(['structure', 'corrupted'], ['structure', 'good']), 'good'],
    ['a commit in time lifts nothing', verdicts(['structure', 'corrupted'], ['commit', 'good']), 'corrupted'],
  ];

  it.each(ROWS)('count: %s', (_, given, expected) => {
    expect(standingVerdict(given)?.result).toBe(expected);
  });
});
