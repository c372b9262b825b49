import { join } from 'node:path';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { faulty } from '../../lib/stores/faulty.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { metered } from '../../lib/stores/metered.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import { retrying } from '../../lib/stores/retrying.ts';
import type { Store } from '../../lib/stores/store.ts';
import { throttled } from '../../lib/stores/throttled.ts';
import { storeContract, storeReadingContract } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const clock = new LeapingClock();
const memory = () => new MemoryStore(clock);
const retried = (store: Store) => retrying(store, { clock, random: () => 0.5 });
const limited = (store: Store) => throttled(store, { uploadBytesPerSecond: 1e6, downloadBytesPerSecond: 1e6, maxConcurrency: 2 }, clock);
const measured = (store: Store) => metered(store, () => {}, clock);

/** Every fifth call fails, every third removal loses its answer, listings break off: with retries nobody may notice. */
const unreliable = (store: Store) =>
  faulty(store, [
    ...Array.from({ length: 200 }, (_, index) => ({ effect: 'lost-response' as const, operation: 'remove' as const, nth: 3 * (index + 1) })),
    ...Array.from({ length: 200 }, (_, index) => ({ effect: 'fail' as const, nth: 5 * (index + 1) })),
    ...[2, 5, 11, 23, 50, 111, 300].map((nth) => ({ effect: 'break-off' as const, nth })),
  ]);

storeContract('a retrying store', () => retried(memory()));
storeContract('a retrying store around an unreliable one', () => retried(unreliable(memory())));
storeContract('a throttled store', () => limited(memory()));
storeContract('a metered store', () => measured(memory()));
storeContract('a faulty store without faults', () => faulty(memory(), []));
storeContract('all wrappers around a directory', () => retried(limited(measured(faulty(openDirectoryStore(join(temporaryFolder(), 'vault')), [])))));
storeReadingContract('a read-only store in memory', () => ((writer) => ({ writer, store: readOnly(writer) }))(memory()));
storeReadingContract('a read-only store in a directory', () => ((writer) => ({ writer, store: readOnly(writer) }))(openDirectoryStore(join(temporaryFolder(), 'vault'))));
