import type { LongSuite } from './long-suite.ts';

/** Every long suite. `smoke.test.ts` runs each at its smoke size, `npm run test:long` and `npm run test:soak` at the long one. */
export const LONG_SUITES: readonly LongSuite[] = [
  {
    name: 'stories',
    title: 'K8: whatever writers, pruners, removers and readers do to one vault, paused and killed anywhere, nothing that a good backup needs is lost',
    unit: 'stories',
    smoke: 40,
    long: 1_000_000,
    open: async () => (await import('./stories.ts')).stories,
  },
  {
    name: 'lives',
    title: 'V1, K8, K1: packs change and vanish while writers, pruner, verifier, healer and a rotation of keys work on one vault: damage is named, healed where the source still has it, and what is called good comes back',
    unit: 'lives',
    smoke: 8,
    long: 1_000_000,
    open: async () => (await import('./lives.ts')).lives,
  },
  {
    name: 'fuzz',
    title: 'V1: every decoder refuses what it cannot take with an error that says so, whatever lies in it and whoever sealed it, in bounded memory and time',
    unit: 'inputs',
    smoke: 4000,
    long: 10_000_000,
    heapMiB: 512,
    open: async () => (await import('./fuzz/fuzz.ts')).openFuzz(),
  },
  {
    name: 'fuzz-vaults',
    title: 'V1: a vault that somebody tampered with, with or without its keys, is verified, pruned, repaired, restored, catalogued and backed up into with errors or reports that say so',
    unit: 'vaults',
    smoke: 200,
    long: 1_000_000,
    open: async () => (await import('./fuzz/vault-fuzz.ts')).openVaultFuzz(),
  },
  {
    name: 'kills',
    title: 'D3: SIGKILL at any moment of any command costs no backup, and the same command completes afterwards',
    unit: 'machines with ten kills each',
    smoke: 1,
    long: 100,
    // Ten kills are some fifty processes.
    patienceSeconds: 900,
    open: async () => (await import('./kills/kills.ts')).openKills(),
  },
  {
    name: 'soak',
    title: 'K8, V1: one process that backs up, verifies, restores, removes and prunes for thousands of days does not come to hold more memory, descriptors or files',
    unit: 'days',
    smoke: 3,
    long: 5000,
    isSoak: true,
    open: async () => (await import('./soak.ts')).openSoak(),
  },
];
