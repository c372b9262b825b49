import { isHoldfastError } from '../model/errors.ts';
import type { ObjectInfo, Store } from '../stores/store.ts';
import { damaged, quoted } from './format.ts';
import { parseJson } from './sealed-object.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The margins of format §12, in milliseconds of the store's clock. Writers and prune share them: the proof there needs
 * `RULING_AGE_MS` - `COMMIT_WINDOW_MS` > `USABLE_MARK_MS`.
 */
/** A pack is marked only when it was stored longer ago than this. */
export const MARK_PACK_AGE_MS = 48 * HOUR_MS;
/** A mark is ruled on only when it is at least this old. */
export const RULING_AGE_MS = 24 * HOUR_MS;
/** A writer's second look trusts a pack whose oldest undecided mark is younger than this. */
export const USABLE_MARK_MS = 22 * HOUR_MS;
/** A snapshot stored later than this after its writer's second look is void. */
export const COMMIT_WINDOW_MS = HOUR_MS;
/** Refs without a snapshot, and partials, keep packs alive for this long. */
export const UNFINISHED_LIFE_MS = 7 * DAY_MS;
/** A spared mark and its ruling stay this long. */
export const SPARED_LIFE_MS = 30 * DAY_MS;
/** A run older than this does not commit. */
export const RUN_LIFE_MS = 30 * DAY_MS;

export type Ruling = 'doomed' | 'spared';

/** One note of prune about a pack. A mark's name is used once and never again, so no late call can hit a newer mark. */
export interface Mark {
  readonly name: string;
  readonly packId: string;
  readonly storedAt: number;
  /** `unreadable`: its ruling is damaged. Writers keep away from the pack as if it were doomed, prune as if it were not. */
  readonly ruling: Ruling | 'undecided' | 'unreadable';
  /** When the ruling was stored; undefined while undecided. */
  readonly ruledAt: number | undefined;
}

/** One look at `condemned/`. */
export interface Marks {
  /** The store's time, read *before* the listing: whatever was there at that time was seen. */
  readonly at: number;
  readonly marks: readonly Mark[];
  /** Rulings seen whose mark was not: cleared by prune, meaningless to everyone else. */
  readonly orphanRulings: readonly string[];
}

/**
 * Looks at `condemned/`. A writer calls this before it lists `packs/` (first look), and again when all its packs and its
 * index are durable (second look): `at` of that one is the manifest's `checkedAt`. After the second look it must list
 * *all* packs that it uses, those that it wrote itself too: in a run that outlives every margin its own packs may have
 * been marked, deleted, and their marks cleared before it looked.
 */
export async function readMarks(store: Pick<Store, 'list' | 'get' | 'now'>): Promise<Marks> {
  const at = await store.now();
  const marks: ObjectInfo[] = [];
  const rulings = new Map<string, ObjectInfo>();
  for await (const object of store.list('condemned/')) {
    if (object.name.endsWith(RULING_SUFFIX)) rulings.set(object.name, object);
    else marks.push(object);
  }
  const names = new Set(marks.map((mark) => mark.name));
  const orphanRulings = [...rulings.keys()].filter((name) => !names.has(markNameOf(name)));
  return { at, marks: await Promise.all(marks.map((mark) => readMark(store, mark, rulings.get(rulingNameOf(mark.name))))), orphanRulings };
}

export type PackJudgement = 'absent' | 'usable' | 'reread';

/**
 * What a writer may do with marked packs; packs not in the answer carry no mark that counts.
 * First look: a pack with any undecided or doomed mark is `absent`, new chunks go elsewhere. Second look: an undecided
 * mark under 22 h is `usable`, because refs stored within the commit window are there before anyone may rule on it;
 * with an older or a doomed one the entries that touch the pack must be read again (`reread`).
 */
export function judgeMarks(marks: Marks, look: 'first' | 'second'): Map<string, PackJudgement> {
  const judged = new Map<string, PackJudgement>();
  for (const mark of marks.marks) {
    if (mark.ruling === 'spared') continue;
    const judgement = look === 'first' ? 'absent' : isUsable(mark, marks.at) ? 'usable' : 'reread';
    if (judged.get(mark.packId) !== 'reread') judged.set(mark.packId, judgement);
  }
  return judged;
}

function isUsable(mark: Mark, at: number): boolean {
  return mark.ruling === 'undecided' && at - mark.storedAt < USABLE_MARK_MS;
}

/** Both by the store's clock: `checkedAt` from the manifest, `storedAt` of the snapshot object. */
export function isVoid(checkedAt: number, storedAt: number): boolean {
  return storedAt - checkedAt > COMMIT_WINDOW_MS;
}

/** Both by the store's clock: time at the run's first look, and now. */
export function isRunTooOld(startedAt: number, now: number): boolean {
  return now - startedAt > RUN_LIFE_MS;
}

const RULING_SUFFIX = '.ruling';

export function rulingNameOf(markName: string): string {
  return markName + RULING_SUFFIX;
}

export function markNameOf(rulingName: string): string {
  return rulingName.slice(0, -RULING_SUFFIX.length);
}

/** `condemned/<pack id>.<mark id>` */
function packIdOfMark(name: string): string {
  const last = name.slice(name.lastIndexOf('/') + 1);
  const end = last.indexOf('.');
  return end < 0 ? last : last.slice(0, end);
}

async function readMark(store: Pick<Store, 'get'>, { name, storedAt }: ObjectInfo, listedRuling: ObjectInfo | undefined): Promise<Mark> {
  const ruling = listedRuling && (await readRuling(store, name).catch(unreadable));
  return { name, packId: packIdOfMark(name), storedAt, ruling: ruling ?? 'undecided', ruledAt: ruling && listedRuling?.storedAt };
}

/** One flipped bit in a note of prune must not stop every backup. */
function unreadable(error: unknown): 'unreadable' {
  if (!isHoldfastError(error, 'damaged')) throw error;
  return 'unreadable';
}

/** Undefined when there is none: also when it was cleared since it was listed, which counts as undecided and old. */
export async function readRuling(store: Pick<Store, 'get'>, markName: string): Promise<Ruling | undefined> {
  const name = rulingNameOf(markName);
  const stored = await store.get(name).catch((cause: unknown) => {
    if (isHoldfastError(cause, 'not-found')) return undefined;
    throw cause;
  });
  return stored && decodeRuling(stored, name);
}

/** Equal decisions are equal bytes, so that two pruners of one opinion do not collide. */
export function encodeRuling(ruling: Ruling): Buffer {
  return Buffer.from(JSON.stringify({ format: 1, ruling }) + '\n', 'utf8');
}

function decodeRuling(stored: Uint8Array, name: string): Ruling {
  const { ruling } = (parseJson(stored, name) ?? {}) as { ruling?: unknown };
  if (ruling === 'doomed' || ruling === 'spared') return ruling;
  throw damaged(`${name} holds the ruling ${quoted(ruling)}, wanted "doomed" or "spared"`);
}

/** Name of the pack that a mark is about. */
export function decodeMark(stored: Uint8Array, name: string): string {
  const { pack } = (parseJson(stored, name) ?? {}) as { pack?: unknown };
  if (typeof pack === 'string') return pack;
  throw damaged(`${name} does not say which pack it is about`);
}

export function encodeMark(packName: string): Buffer {
  return Buffer.from(JSON.stringify({ format: 1, pack: packName }) + '\n', 'utf8');
}
