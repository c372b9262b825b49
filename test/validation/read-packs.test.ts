import { randomBytes } from 'node:crypto';
import { sha256 } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import type { CheckPool } from '../../lib/validation/check-pool.ts';
import { Findings } from '../../lib/validation/findings.ts';
import { readPacks } from '../../lib/validation/read-packs.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { memoryVault } from '../support/vault.ts';

/** Looks at the bytes late, as a thread that is busy does. */
function latePool(width: number, seen: Set<unknown>): CheckPool {
  let turn = 0;
  return {
    width,
    async check({ sha256: digest }, bytes) {
      seen.add(bytes.buffer);
      await new Promise((resolve) => setTimeout(resolve, (turn++ % 3) * 4));
      const problems = sha256(bytes).toString('hex') === digest ? [] : [{ problem: 'other bytes', ids: new Uint8Array(0) }];
      return { problems, isLost: false };
    },
    close: async () => undefined,
  };
}

test('packs are read into the same memory again and again, and none before its last reader is done with it (V1)', async () => {
  const store = openDirectoryStore(temporaryFolder());
  const { repository, clock } = memoryVault();
  const packs = [];
  for (let index = 0; index < 30; index++) {
    const bytes = randomBytes(200_000 - index * 5000);
    const name = `packs/hot/w/${String(index).padStart(2, '0')}`;
    await store.put(name, bytes);
    packs.push({ ref: { name, size: bytes.length, sha256: sha256(bytes).toString('hex') } });
  }
  const seen = new Set<unknown>();
  const findings = new Findings();
  const context = { repository: { ...repository, store } as Repository, findings, signal: undefined } as Parameters<typeof readPacks>[0];
  const read = await readPacks(context, packs, { pool: latePool(3, seen), clock, onProgress: undefined, recorder: undefined });
  expect(read.spoilt).toEqual([]);
  expect(read.names.size).toBe(30);
  expect(seen.size).toBeLessThanOrEqual(3);
});
