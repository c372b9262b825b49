import type { KeySlot } from '../keyring/key-slot.ts';
import { listSlots } from '../keyring/open-slots.ts';
import { isHoldfastError } from '../model/errors.ts';
import { frameOpener, listSnapshots, openFrame, readManifest, readPackDirectory, readRefs } from '../repository/index.ts';
import type { Manifest, PackDirectory, PackRef, Repository } from '../repository/index.ts';

/** What a key was seen to open: nothing in it is concluded from what a slot says of itself. */
export interface KeyProof {
  readonly slots: readonly { readonly slot: string; readonly keyNumber: number; readonly opens: 'everything' | 'metadata' }[];
  /** Every key number of the vault, ascending. */
  readonly keyNumbers: readonly { readonly number: number; readonly opens: 'everything' | 'metadata' | 'nothing' }[];
  /** The newest backup whose manifest was decoded; absent where there is none. */
  readonly backup?: { readonly backup: string; readonly planName: string; readonly finishedAt: string };
  /** Frames of that backup's contents that were decoded, every chunk hashed: at most one of each key number. */
  readonly frames: readonly { readonly pack: string; readonly keyNumber: number; readonly bytes: number }[];
  /** What this key does not open, in words. */
  readonly unopened: readonly string[];
  /** Stored bytes that are not what was written, in words. */
  readonly damaged: readonly string[];
}

/** Newer backups that a key does not open are passed over, so many at most. */
const MAX_SNAPSHOTS = 100;
const MAX_PACKS = 20;

/**
 * Decodes what a key is for: the newest backup's manifest and some of its contents. `opened` are the slots by which the
 * repository was opened. Writes nothing. Throws what the store says; what is wrong with vault or key is in the proof.
 */
export async function proveKey(repository: Repository, opened: readonly KeySlot[]): Promise<KeyProof> {
  const findings: Findings = { unopened: [], damaged: [] };
  const keyNumbers = await numbersOf(repository, findings);
  const manifest = await newestManifest(repository, findings);
  const hasData = keyNumbers.some(({ opens }) => opens === 'everything');
  const frames = manifest !== undefined && hasData ? await decodeFrames(repository, manifest, findings) : [];
  return {
    slots: opened.map(({ slot, keyNumber, wrapped }) => ({ slot, keyNumber, opens: wrapped.data === undefined ? 'metadata' : 'everything' })),
    keyNumbers,
    ...(manifest && { backup: { backup: manifest.backup, planName: manifest.planName, finishedAt: manifest.finishedAt } }),
    frames, ...findings,
  };
}

interface Findings {
  readonly unopened: string[];
  readonly damaged: string[];
}

async function numbersOf({ store, config, keys }: Repository, findings: Findings): Promise<KeyProof['keyNumbers']> {
  const { slots, problems } = await listSlots(store, config.repository);
  findings.damaged.push(...problems.map(({ message }) => message));
  const numbers = [...new Set([...slots, ...keys.keys.pairs.map(({ number }) => ({ keyNumber: number }))].map(({ keyNumber }) => keyNumber))].sort((left, right) => left - right);
  return numbers.map((number) => {
    const pair = keys.keys.pairs.find((candidate) => candidate.number === number);
    const opens = pair === undefined ? 'nothing' : pair.data === undefined ? 'metadata' : 'everything';
    if (opens === 'nothing') findings.unopened.push(`Nothing of key number ${number}: ${number > keys.current ? 'backups since that rotation' : 'backups of that time'} stay closed to this key.`);
    return { number, opens };
  });
}

/** By the store's time: names are made by clocks of writers. */
async function newestManifest(repository: Repository, findings: Findings): Promise<Manifest | undefined> {
  const newestFirst = (await listSnapshots(repository.store)).sort((left, right) => right.storedAt - left.storedAt || (left.name < right.name ? 1 : -1));
  let passed = 0;
  for (const { name } of newestFirst.slice(0, MAX_SNAPSHOTS)) {
    const manifest = await orFinding(findings, () => readManifest(repository, name).then((read) => read.manifest), () => void passed++);
    if (manifest === undefined) continue;
    if (passed > 0) findings.unopened.push(`The newest ${passed === 1 ? 'backup is' : `${passed} backups are`} sealed with keys that this one does not open.`);
    return manifest;
  }
  if (passed > 0) findings.unopened.push(`None of the newest ${passed} backups opens with this key.`);
  return undefined;
}

async function decodeFrames(repository: Repository, manifest: Manifest, findings: Findings): Promise<KeyProof['frames']> {
  const refs = await orFinding(findings, () => readRefs(repository, manifest));
  const packs = (refs?.packs ?? []).filter(({ name }) => !name.startsWith('packs/meta/'));
  const decoded = new Map<number, KeyProof['frames'][number]>();
  // Smallest first: one frame is as good as another, and small packs have small directories.
  for (const pack of packs.sort((left, right) => left.size - right.size).slice(0, MAX_PACKS)) {
    const directory = await orFinding(findings, () => readPackDirectory(repository.store, repository.keys, pack.name, pack.size));
    if (directory !== undefined) await decodeNewNumbers({ repository, pack, directory }, decoded, findings);
  }
  if (packs.length > 0 && decoded.size === 0) findings.unopened.push(`No content of backup ${manifest.backup} was decoded.`);
  return [...decoded.values()].sort((left, right) => left.keyNumber - right.keyNumber);
}

interface OpenPack {
  readonly repository: Repository;
  readonly pack: PackRef;
  readonly directory: PackDirectory;
}

async function decodeNewNumbers({ repository, pack, directory }: OpenPack, decoded: Map<number, KeyProof['frames'][number]>, findings: Findings): Promise<void> {
  const opener = frameOpener(repository.keys, 'frame');
  for (const frame of directory.frames) {
    if (decoded.has(frame.keyNumber) || opener.subkeys[frame.keyNumber] === undefined) continue;
    const raw = await orFinding(findings, async () => openFrame(opener, directory.cipher, frame, await repository.store.get(pack.name, { offset: frame.offset, length: frame.sealedLength }), pack.name));
    if (raw !== undefined) decoded.set(frame.keyNumber, { pack: pack.name, keyNumber: frame.keyNumber, bytes: raw.length });
  }
}

/** What is damaged or closed is what was asked; everything else ends the proof. */
async function orFinding<T>(findings: Findings, work: () => Promise<T>, onClosed: () => void = () => undefined): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isHoldfastError(error, 'wrong-key')) onClosed();
    else if (isHoldfastError(error, 'damaged') || isHoldfastError(error, 'not-found')) findings.damaged.push(error.message);
    else throw error;
    return undefined;
  }
}
