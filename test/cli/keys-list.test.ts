import { copyFileSync, lstatSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Desk } from './run-in-process.ts';

interface SlotRow {
  readonly slot: string;
  readonly label: string;
  readonly storedAt: string;
  readonly isInUse: boolean;
}

describe('holdfast keys list (K1)', () => {
  const at = new Desk();
  beforeAll(async () => {
    await at.do('init', '--vault', 'vault', '--key-file', 'lost.key');
    await at.do('keys', 'add', '--new-key-file', 'new.key');
  });

  it('tells the slot of the key in use from the others, for whichever key is in use', async () => {
    for (const name of ['lost.key', 'new.key']) {
      const rows = await at.json<SlotRow>('keys', 'list', '--vault', 'vault', '--key-file', name);
      expect(rows.filter(({ isInUse }) => isInUse).map(({ label }) => label)).toEqual([name]);
      const shown = await at.do('keys', 'list', '--vault', 'vault', '--key-file', name);
      expect(shown.split('\n').filter((line) => line.endsWith('in use')).map((line) => line.split(/\s+/)[3])).toEqual([name]);
    }
  });

  it('says when each was stored by the time of the store, to which no writer has a say', async () => {
    const rows = await at.json<SlotRow>('keys', 'list');
    const folder = at.path('vault/keys/1');
    for (const { slot, storedAt } of rows) expect(storedAt).toBe(new Date(Math.floor(lstatSync(join(folder, `${slot}.json`)).ctimeMs)).toISOString());
    // Put back from a copy it is as new as that.
    const [name = ''] = readdirSync(folder);
    copyFileSync(join(folder, name), at.path('copy'));
    rmSync(join(folder, name));
    copyFileSync(at.path('copy'), join(folder, name));
    const again = await at.json<SlotRow>('keys', 'list');
    const of = (list: readonly SlotRow[]) => list.find(({ slot }) => `${slot}.json` === name)!.storedAt;
    expect(Date.parse(of(again))).toBeGreaterThan(Date.parse(of(rows)));
  });
});
