import type { ByteString } from '../model/byte-string.ts';
import type { DamagedObject, ObjectKind, PathRange, TouchedBackup, VerifyNote } from './verify-report.ts';

const EXAMPLES = 20;
const PROBLEMS = 5;

/** `structure`: a later look at the structure can prove that it is gone; `content`: only reading everything can. */
export type Depth = 'structure' | 'content';

interface Record {
  readonly kind: ObjectKind;
  readonly problems: string[];
  problemCount: number;
  depth: Depth;
}

interface Touch {
  entries: number;
  readonly examples: ByteString[];
  readonly ranges: PathRange[];
}

/** Collects while a verification runs: each damaged object once, with what it takes from which backup. */
export class Findings {
  readonly notes: VerifyNote[] = [];
  readonly #records = new Map<string, Record>();
  /** By object, then by snapshot; told apart from the damage, which may be told later. */
  readonly #touched = new Map<string, Map<string, Touch>>();

  damage(name: string, kind: ObjectKind, problem: string, depth: Depth = 'structure'): void {
    let record = this.#records.get(name);
    if (!record) this.#records.set(name, (record = { kind, problems: [], problemCount: 0, depth }));
    if (depth === 'content') record.depth = depth;
    if (record.problems.includes(problem)) return;
    record.problemCount++;
    if (record.problems.length < PROBLEMS) record.problems.push(problem);
  }

  /** The damaged object belongs to that backup, whether or not an entry needs its damaged part. */
  touch(name: string, snapshot: string): Touch {
    let touched = this.#touched.get(name);
    if (!touched) this.#touched.set(name, (touched = new Map()));
    let touch = touched.get(snapshot);
    if (!touch) touched.set(snapshot, (touch = { entries: 0, examples: [], ranges: [] }));
    return touch;
  }

  touchEntry(name: string, snapshot: string, path: ByteString): void {
    const touch = this.touch(name, snapshot);
    touch.entries++;
    if (touch.examples.length < EXAMPLES) touch.examples.push(path);
  }

  touchRange(name: string, snapshot: string, range: PathRange): void {
    this.touch(name, snapshot).ranges.push(range);
  }

  /** Takes back what was said only about this backup: somebody removed it meanwhile. */
  forget(snapshot: string): void {
    for (const [name, touched] of this.#touched) {
      touched.delete(snapshot);
      if (touched.size === 0) this.#records.delete(name);
    }
  }

  isDamaged(name: string): boolean {
    return this.#records.has(name);
  }

  names(): string[] {
    return [...this.#records.keys()];
  }

  note(code: VerifyNote['code'], message: string): void {
    this.notes.push({ code, message });
  }

  /** Objects whose damage makes a backup bad, and how deep one must look to prove that they are whole again. */
  touching(snapshot: string): { name: string; problem: string; depth: Depth }[] {
    const found: { name: string; problem: string; depth: Depth }[] = [];
    for (const [name, { kind, problems, depth }] of this.#records) if (kind !== 'verdict' && this.#touched.get(name)?.has(snapshot)) found.push({ name, problem: problems[0] ?? '', depth });
    return found;
  }

  hasContentDamage(): boolean {
    return [...this.#records.values()].some(({ depth }) => depth === 'content');
  }

  /** Takes over what another collector holds about other objects and backups. */
  absorb(other: Findings): void {
    this.notes.push(...other.notes);
    for (const [name, record] of other.#records) for (const problem of record.problems) this.damage(name, record.kind, problem, record.depth);
    for (const [name, touched] of other.#touched) this.#touched.set(name, new Map([...(this.#touched.get(name) ?? []), ...touched]));
  }

  report(): DamagedObject[] {
    return [...this.#records].map(([name, { kind, problems, problemCount }]) => {
      const backups = [...(this.#touched.get(name) ?? [])].map(([snapshot, touch]): TouchedBackup => ({ snapshot, ...touch }));
      return { name, kind, problems, problemCount, lost: LOST[kind](backups), touched: backups };
    });
  }
}

/** What is lost with an object, in words. */
const LOST: Readonly<{ [K in ObjectKind]: (touched: readonly TouchedBackup[]) => string }> = {
  config: () => 'the vault opens again when holdfast.json is put back: it holds nothing that the key slots and the defaults do not say',
  'key-slot': () => 'whoever holds only the key of this slot can open nothing; other slots go on. If it was the last slot, every backup in this vault is lost unless the slot is put back from a copy',
  snapshot: (touched) => `${backupsOf(touched)}: nothing in it can be found without its manifest, until the object is put back from a copy of the vault`,
  refs: (touched) => `${backupsOf(touched)}: it cannot say which packs it needs, until \`holdfast repair packs\` makes the list again from its manifest, or the object is put back from a copy of the vault`,
  wal: () => 'no moment behind this file can be restored to from the base backups before it: take a base backup now, and see `holdfast pitr windows` for what is left. Should the server still have the file in pg_wal, remove the damaged object and archive it again',
  pack: lostWithPack,
  kit: () => 'no backup. Nobody may give the key to this script: take the kit from elsewhere (`holdfast kit --to DIR`)',
  index: () => 'nothing: packs say themselves what they hold; the next backup that finds something new reads that again, `holdfast repair index` at once',
  partial: () => 'no backup: an unfinished run is not resumed from here, and prune may free what it stored',
  verdict: () => 'no backup: what an earlier verification found; this one has looked again',
  coverage: () => 'no backup: the note when packs were read last; they count as unread, so they are read sooner',
  'damage-record': () => 'no backup: the note that a pack is damaged; its pack is judged anew by reading it',
  mark: () => 'no backup: a note of prune. New backups keep away from the pack that it is about, and prune keeps it, until the note is removed',
  removal: () => 'no backup: who removed a backup, when and why',
};

function lostWithPack(touched: readonly TouchedBackup[]): string {
  if (touched.length === 0) return 'nothing: no list of packs that can be read names it. New backups pass it over, and `holdfast prune` frees it';
  const entries = touched.reduce((sum, touch) => sum + touch.entries, 0);
  const ranges = touched.reduce((sum, touch) => sum + touch.ranges.length, 0);
  if (entries + ranges === 0) return 'nothing: every entry that needs it can still be restored';
  const words = [...(entries > 0 ? [`the content of ${entries} ${entries === 1 ? 'entry' : 'entries'}`] : []), ...(ranges > 0 ? [`${ranges} ${ranges === 1 ? 'part' : 'parts'} of entry trees`] : [])];
  return `${words.join(' and ')} in ${backupsOf(touched)}`;
}

function backupsOf(touched: readonly TouchedBackup[]): string {
  return touched.length === 1 ? `backup ${(touched[0] as TouchedBackup).snapshot.split('/').at(-1)}` : `${touched.length} backups`;
}
