import { snapshotLook } from '../../lib/aws/function-ports.ts';
import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { LeapingClock } from '../support/fake-clock.ts';

describe('a look for the snapshot of a run', () => {
  it('answers that its vault was removed, instead of failing at each look (M6)', async () => {
    const nobody = (): never => {
      throw new Error('no client is needed');
    };
    const look = snapshotLook({ vaults: { other: { bucket: 'b', prefix: '', keyArn: 'k' } }, s3: nobody, kms: nobody }, { clock: new LeapingClock() });
    const run = { vault: 'main', planId: 'p', planName: 'shop', backupId: 'B' } as unknown as LedgerRun;
    const seen = await look(run);
    expect(seen).toBeInstanceOf(HoldfastError);
    expect(seen).toMatchObject({ code: 'vault-not-found', message: expect.stringContaining('The vault main was removed from holdfast.yaml') });
  });
});
