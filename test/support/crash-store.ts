import { isHoldfastError } from '../../lib/model/errors.ts';
import type { FileOps } from '../../lib/stores/directory/file-ops.ts';
import type { Owner, ProcessTable } from '../../lib/model/process-owner.ts';
import { openDirectoryStore, type DirectoryStore } from '../../lib/stores/directory-store.ts';
import type { Store } from '../../lib/stores/store.ts';
import { CrashDisk, PowerLost, SURVIVALS } from './crash-disk.ts';
import { LeapingClock } from './fake-clock.ts';

export const VAULT = '/disk/vault';

/** A process of the machine with the crashing disk: `boot` rises with every reboot, a killed process is not alive. */
export interface CrashProcess {
  readonly boot: number;
  readonly pid: number;
  readonly isAlive?: (pid: number) => boolean;
}

/** The product's directory store on a disk that loses power; `change` may plant a bug in the file operations. */
export function openCrashStore(disk: CrashDisk, process: CrashProcess, change: (fileOps: FileOps) => FileOps = (same) => same): DirectoryStore {
  let names = 0;
  return openDirectoryStore(VAULT, {
    fileOps: change(disk.fileOps),
    clock: new LeapingClock(),
    processes: processTable(process),
    random: (size) => Buffer.alloc(size, (names += 1)),
  });
}

/** What a story did until the power went: a name maps to its bytes, or to null after `remove` returned. */
export class Journal {
  readonly #attempted = new Map<string, Uint8Array[]>();
  readonly #done = new Map<string, Uint8Array | null>();

  async put(store: Store, name: string, bytes: Uint8Array): Promise<void> {
    this.#attempted.set(name, [...(this.#attempted.get(name) ?? []), bytes]);
    if (this.#done.get(name) === null) this.#done.delete(name);
    await store.put(name, bytes);
    this.#done.set(name, bytes);
  }

  async remove(store: Store, name: string): Promise<void> {
    // From here on both answers are right, until the removal has returned.
    this.#done.delete(name);
    await store.remove(name);
    this.#attempted.delete(name);
    this.#done.set(name, null);
  }

  /** Every broken promise that a reader of the rebooted store sees, in words. */
  async violations(store: Store): Promise<string[]> {
    const found: string[] = [];
    for (const name of new Set([...this.#attempted.keys(), ...this.#done.keys()])) {
      const bytes = await readOrAbsent(store, name);
      const done = this.#done.get(name);
      const attempted = this.#attempted.get(name) ?? [];
      if (bytes === undefined && done instanceof Uint8Array) found.push(`${name} was put and is lost`);
      if (bytes !== undefined && done === null) found.push(`${name} was removed and is back`);
      else if (bytes !== undefined && !attempted.some((whole) => Buffer.compare(whole, bytes) === 0)) found.push(`${name} is torn: ${bytes.byteLength} bytes`);
    }
    return found;
  }
}

/** A story runs on a fresh disk, through stores that it opens itself. */
export type Story = (disk: CrashDisk, journal: Journal) => Promise<void>;

export interface CutOptions {
  /** Checks the rebooted disk further and returns broken promises in words. */
  readonly afterwards?: (disk: CrashDisk, journal: Journal) => Promise<string[]>;
  /** The first cut and the distance to the next: every step by default, some of them for stories in many variants. */
  readonly first?: number;
  readonly every?: number;
}

/**
 * Runs a story once for every step at which the power may go (the last time it goes after the end), lets the machine
 * come up in every way that is allowed, and returns all broken promises.
 */
export async function crashEverywhere(story: Story, { afterwards = async () => [], first = 0, every = 1 }: CutOptions = {}): Promise<{ cuts: number; violations: string[] }> {
  const violations: string[] = [];
  for (let cut = first; ; cut += every) {
    const disk = await diskWithHome();
    disk.steps = 0;
    disk.cutAt(cut);
    const journal = new Journal();
    await story(disk, journal).catch(unlessPowerLost);
    for (const survival of SURVIVALS) {
      const found = await checkReboot(disk.reboot(survival, seededRandom(cut)), journal, afterwards);
      violations.push(...found.map((violation) => `cut before step ${cut}, ${survival.name} survived: ${violation}`));
    }
    if (disk.hasPower) return { cuts: cut, violations };
  }
}

async function checkReboot(disk: CrashDisk, journal: Journal, afterwards: NonNullable<CutOptions['afterwards']>): Promise<string[]> {
  const found = await journal.violations(openCrashStore(disk, { boot: 2, pid: 1 }));
  return [...found, ...(await afterwards(disk, journal))];
}

/** The vault's parent is there and flushed: a vault is made in somebody's home. */
async function diskWithHome(): Promise<CrashDisk> {
  const disk = new CrashDisk();
  await disk.fileOps.makeFolder('/disk');
  await disk.fileOps.syncFolder('/');
  return disk;
}

async function readOrAbsent(store: Store, name: string): Promise<Uint8Array | undefined> {
  try {
    return await store.get(name);
  } catch (error) {
    if (isHoldfastError(error, 'not-found')) return undefined;
    throw error;
  }
}

function unlessPowerLost(error: unknown): void {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(error instanceof PowerLost) && !(cause instanceof PowerLost)) throw error;
}

function processTable({ boot, pid, isAlive = () => true }: CrashProcess): ProcessTable {
  const self: Owner = { machine: 'm1', boot: `b${boot}`, namespace: 'n1', pid, started: String(pid) };
  return { self, startOf: (other) => (isAlive(other) ? String(other) : undefined) };
}

/** mulberry32: small, seeded, good enough to choose survivors. */
function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
