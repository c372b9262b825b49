import type { S3Client } from '@aws-sdk/client-s3';
import { faulty, type Fault } from '../../lib/stores/faulty.ts';
import { retrying } from '../../lib/stores/retrying.ts';
import type { Store } from '../../lib/stores/store.ts';
import { storeContract } from '../contract/store.ts';
import { makeBucket, s3Client, storesIn } from '../support/buckets.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMoto } from '../support/servers/moto.ts';

/** Both emulators: what one of them forgives, the other may not. */
describe.each([
  ['MiniStack', startMinistack],
  ['moto', startMoto],
])('on %s', (emulator, start) => {
  let server: Ministack;
  let client: S3Client;
  let makeStore: () => Store;
  beforeAll(async () => {
    server = await start();
    client = s3Client(server.endpoint);
    makeStore = storesIn(client, await makeBucket(client, 'contract'), { pageSize: 100 });
  });
  afterAll(async () => {
    client?.destroy();
    await server?.stop();
  });

  storeContract(`S3Store on ${emulator}`, () => makeStore(), { hasFolders: false, sequences: 5 });
  // Below the retries: every fifth call fails, every third removal loses its answer, listings break off.
  if (emulator === 'MiniStack') storeContract('S3Store below faulty and retrying', () => retrying(faulty(makeStore(), UNRELIABLE), { clock: new LeapingClock(), random: () => 0.5 }), { hasFolders: false, sequences: 3 });
});

const UNRELIABLE: readonly Fault[] = [
  ...Array.from({ length: 200 }, (_, index) => ({ effect: 'lost-response' as const, operation: 'remove' as const, nth: 3 * (index + 1) })),
  ...Array.from({ length: 200 }, (_, index) => ({ effect: 'fail' as const, nth: 5 * (index + 1) })),
  ...[2, 5, 11, 23, 50, 111, 300].map((nth) => ({ effect: 'break-off' as const, nth })),
];
