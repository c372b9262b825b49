import { ledgerLines } from '../../lib/cli/ledger-words.ts';
import type { WalLedger } from '../../lib/recovery/pitr/read-ledger.ts';

const NOON = Date.UTC(2026, 10, 28, 12);

function shown(first: number, last: number): string {
  const window = { fromLsn: 0n, toLsn: 1n, bases: [{ stoppedAt: first }], lastTransactionAt: last, isLookedThrough: true, storedAt: last };
  const ledger = { systemId: '1', lines: [{ timeline: 1, windows: [window], gaps: [], stranded: [], waiting: undefined }], divergences: [], newest: undefined, bases: [], entries: [], notes: [] };
  return ledgerLines('cluster', ledger as unknown as WalLedger, NOON).join('\n');
}

it('a window shorter than a second is shown with its milliseconds: it would look as if there were nothing in it (R4)', () => {
  expect(shown(NOON + 20, NOON + 730)).toMatch(/from 2026-11-28T12:00:00\.020Z \(end of the first base backup[^]*before 2026-11-28T12:00:00\.730Z \(last transaction/);
  expect(shown(NOON, NOON + 60_000)).not.toMatch(/\.\d{3}Z/);
});

it('times of the server and of the store are shown with their distance from UTC: refusals name the same moments in UTC (R4)', () => {
  expect(shown(NOON, NOON + 60_000)).toMatch(/from 2026-11-2\d \d\d:\d\d:\d\d [+-]\d\d:\d\d \(end of the first[^]*before 2026-11-2\d \d\d:\d\d:\d\d [+-]\d\d:\d\d \(last transaction[^]*stored 2026-11-2\d \d\d:\d\d:\d\d [+-]\d\d:\d\d \(store's clock\)/);
});
