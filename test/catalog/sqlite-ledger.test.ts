import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import { runLedgerContract } from '../contract/run-ledger.ts';

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
