import { join } from 'node:path';
import { tellHealing } from '../../lib/aws/tell-healing.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { noteOfAttempt, noteOfLeft } from '../../lib/validation/healing/healing-notes.ts';
import type { HealingReport } from '../../lib/validation/healing/heal-vault.ts';
import { ledgerRun, occurrenceOf } from '../contract/run-ledger/records.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const command = 'holdfast repair packs --aws shop --vault main';
const NOTHING: HealingReport = { packs: 0, storedBytes: 0, backups: [], lostChunks: 0, unhealed: [], cleared: [] };

describe('what became of older backups that are not whole (V1)', () => {
  it.each([
    ['waits for the read-back', noteOfLeft({ command, isReadBack: true }), 'due', /gives it to them\.$/, undefined],
    ['waits for a person where nobody reads back', noteOfLeft({ command, isReadBack: false }), 'open', /are not read back\.$/, /^Run `holdfast repair packs --aws shop --vault main`, .*`verification` in the policy/],
    ['is done', noteOfAttempt({ report: { ...NOTHING, packs: 2, backups: ['a', 'b', 'c'] } }, { command, proved: 3, good: 3 }), 'healed', /^2 packs of 3 older backups healed\. Read again in full, 3 of 3 older backups are good\.$/, undefined],
    ['was nothing', noteOfAttempt({ report: NOTHING }, { command, proved: 0, good: 0 }), 'healed', /^Nothing is left to heal\.$/, undefined],
    ['was done by an attempt that died', noteOfAttempt({ report: NOTHING }, { command, proved: 2, good: 2 }), 'healed', /^Read again in full, 2 of 2 older backups are good\.$/, undefined],
    ['is not done while one stands as damaged', noteOfAttempt({ report: NOTHING }, { command, proved: 2, good: 1 }), 'open', /^Read again in full, 1 of 2 older backups are good\.$/, /--dry-run` says what is lost\.$/],
    ['is done in part', noteOfAttempt({ report: { ...NOTHING, packs: 1, backups: ['a'], lostChunks: 1 } }, { command, proved: 1, good: 0 }), 'open', /0 of 1 older backup is good\. 1 chunk of what was healed is lost: /, /--dry-run` says what is lost\.$/],
    ['cannot be done', noteOfAttempt({ report: { ...NOTHING, unhealed: [{ pack: 'packs/hot/w/aa/p', reason: 'it is missing', nextStep: 'Put it back.', lost: 3, examples: [], backups: ['a'] }] } }, { command, proved: 0, good: 0 }), 'open', /^1 damaged pack could not be healed: packs\/hot\/w\/aa\/p: it is missing\.$/, /^Put it back\. `holdfast repair packs --aws shop --vault main --dry-run`/],
    ['failed', noteOfAttempt({ problem: new HoldfastError('permission', 'Access denied.', { nextStep: 'Ask.' }) }, { command, proved: 0, good: 0 }), 'open', /failed: Access denied\.$/, /^Ask\. Run `holdfast repair packs --aws shop --vault main` with your own rights\.$/],
  ] as const)('%s', (_what, note, state, message, nextStep) => {
    expect(note.state).toBe(state);
    expect(note.message).toMatch(message);
    expect(note.nextStep ?? '').toMatch(nextStep ?? /^$/);
  });

  it('stands in the run, and in an alert while somebody has to act in that vault (M3)', async () => {
    const ledger = new SqliteLedger(join(temporaryFolder(), 'ledger.sqlite'));
    const ports = { ledger, clock: new LeapingClock() };
    const run = ledgerRun(1);
    await ledger.claimOccurrence(occurrenceOf(run), run);
    const states = async () => (await ledger.listAlerts()).map(({ state }) => state);
    const tell = async (note: ReturnType<typeof noteOfLeft>, vault = run.vault) => {
      await tellHealing(note, { ...run, vault }, ports);
      return states();
    };
    expect(await tell(noteOfLeft({ command, isReadBack: true }))).toEqual([]);
    const open = noteOfLeft({ command, isReadBack: false });
    expect([await tell(open), await tell(open)]).toEqual([['open'], ['open']]);
    expect((await ledger.getLedgerRun(run.runId))?.healing).toEqual(open);
    expect(await ledger.listAlerts()).toMatchObject([{ severity: 'high', title: `Damage in the vault ${run.vault} could not be healed`, message: open.message, nextStep: open.nextStep }]);
    const healed = noteOfAttempt({ report: NOTHING }, { command, proved: 0, good: 0 });
    expect(await tell(noteOfLeft({ command, isReadBack: true }))).toEqual(['open']);
    expect(await tell(healed, 'another')).toEqual(['open']);
    expect(await tell(healed)).toEqual(['resolved']);
  });
});
