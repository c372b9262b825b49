import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import { runLedgerContract } from '../contract/run-ledger.ts';
import { LedgerChaos } from './ledger-chaos.ts';

runLedgerContract('A SQLite file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-ledger-'));
  const ledger = new SqliteLedger(join(folder, 'catalog.db'));
  const catalog = new SqliteCatalog(join(folder, 'catalog.db'));
  const close = async (): Promise<void> => {
    await Promise.all([ledger.close(), catalog.close()]);
    rmSync(folder, { recursive: true, force: true });
  };
  return { ledger, catalog, close };
});

describe('the run ledger under chaos', () => {
  it('keeps limits, tokens and slots, and lets every run end, whatever the order of steps (60 seeds)', async () => {
    let completed = 0;
    for (let seed = 1; seed <= 60; seed++) {
      const ledger = new SqliteLedger(':memory:');
      const chaos = new LedgerChaos(ledger, { seed: `sqlite ${seed}`, rounds: 80, width: 4 });
      completed += (await chaos.tell().catch((error: Error) => Promise.reject(new Error(`seed ${seed}: ${error.message}`, { cause: error })))).completed;
      await ledger.close();
    }
    expect(completed).toBeGreaterThan(200);
  });
});
