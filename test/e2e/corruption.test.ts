import { systemClock } from '../../lib/model/clock.ts';
import { outcomeOf, verify } from '../../lib/validation/verify.ts';
import type { VerifyReport } from '../../lib/validation/verify.ts';
import type { Store } from '../../lib/stores/store.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { DUMP_PLAN, FILES_PLAN, buildVault, changed, opened, packsOf, readBack } from './corruption-vault.ts';
import type { WholeVault } from './corruption-vault.ts';

type Objects = Map<string, Uint8Array>;

let vault: WholeVault;

beforeAll(async () => {
  vault = await buildVault(temporaryFolder());
});

/** Names of objects below a folder, in order. */
function all(folder: string): string[] {
  return [...vault.objects.keys()].filter((name) => name.startsWith(`${folder}/`)).sort();
}

function nth(folder: string, position: number): string {
  return all(folder).at(position) as string;
}

const snapshots = { dump: () => nth(`snapshots/${DUMP_PLAN}`, 0), base: () => nth(`snapshots/${FILES_PLAN}`, 0), delta: () => nth(`snapshots/${FILES_PLAN}`, 1) };

/** Packs of the tree's base, its delta's own, and the stream's; data and meta. */
const PACKS: readonly [string, () => string][] = [
  ['the data pack of the base', () => largest(`packs/hot`, [snapshots.base()])],
  ['the data pack of the delta', () => onlyOf('packs/hot', snapshots.delta(), snapshots.base())],
  ['the meta pack of the base', () => largest('packs/meta', [snapshots.base()])],
  ['the meta pack of the delta', () => onlyOf('packs/meta', snapshots.delta(), snapshots.base())],
  ['the data pack of the stream', () => largest('packs/hot', [snapshots.dump()])],
  ['the meta pack of the stream, with its chunk lists', () => largest('packs/meta', [snapshots.dump()])],
];

function largest(folder: string, [snapshot]: [string]): string {
  const packs = packsOf(vault, snapshot).filter(({ name }) => name.startsWith(folder));
  return packs.reduce((best, pack) => (pack.size > best.size ? pack : best)).name;
}

function onlyOf(folder: string, snapshot: string, other: string): string {
  const others = new Set(packsOf(vault, other).map(({ name }) => name));
  return packsOf(vault, snapshot).find(({ name }) => name.startsWith(folder) && !others.has(name))?.name as string;
}

function flip(objects: Objects, name: string, at: number): void {
  const bytes = Uint8Array.from(objects.get(name) as Uint8Array);
  const position = at < 0 ? bytes.length + at : at;
  bytes[position]! ^= 1;
  objects.set(name, bytes);
}

function truncate(objects: Objects, name: string, length: number): void {
  objects.set(name, (objects.get(name) as Uint8Array).slice(0, length));
}

function swap(objects: Objects, one: string, other: string): void {
  const bytes = objects.get(one) as Uint8Array;
  objects.set(one, objects.get(other) as Uint8Array);
  objects.set(other, bytes);
}

function move(objects: Objects, from: string, to: string): void {
  objects.set(to, objects.get(from) as Uint8Array);
  objects.delete(from);
}

async function verified(store: Store): Promise<VerifyReport> {
  return verify(opened(vault, store), { level: 'full', clock: systemClock });
}

/** Verifies the changed vault; whatever is not named as touched must read back, and nothing may ever read back wrong. */
async function verifyAndRead(change: (objects: Objects) => void): Promise<VerifyReport> {
  const store = await changed(vault, change);
  const report = await verified(store);
  for (const [snapshot, contents] of vault.contents) {
    const touching = report.damage.flatMap(({ name, touched }) => touched.filter((touch) => touch.snapshot === snapshot).map((touch) => ({ name, ...touch })));
    if (touching.length === 0 && (await isUntouched(store, snapshot))) continue;
    const read = await readBack(opened(vault, store), snapshot, contents);
    expect(read.wrong).toEqual([]);
    const named = new Set<string>(touching.flatMap(({ examples }) => examples));
    const isUnknown = touching.some(({ name, ranges }) => ranges.length > 0 || !name.startsWith('packs/'));
    // Entry by entry: what verify names is refused, and what it does not name is delivered.
    if (!isUnknown) expect(new Set(read.refused.keys())).toEqual(named);
    if (touching.length === 0) expect(read.equal).toHaveLength(contents.size);
  }
  return report;
}

/** Everything that reading that backup reads is byte for byte what it was when the whole vault was read. */
async function isUntouched(store: Store, snapshot: string): Promise<boolean> {
  const needed = [snapshot, `${snapshot.replace('snapshots/', 'refs/')}.0`, ...packsOf(vault, snapshot).map(({ name }) => name)];
  const isSame = async (name: string) => Buffer.compare(vault.objects.get(name) as Uint8Array, await store.get(name).catch(() => new Uint8Array(0))) === 0;
  return (await Promise.all(needed.map(isSame))).every(Boolean);
}

function touchedBy(report: VerifyReport, name: string): string[] {
  return (report.damage.find((object) => object.name === name)?.touched ?? []).map(({ snapshot }) => snapshot).sort();
}

function needing(pack: string): string[] {
  return [...vault.contents.keys()].filter((snapshot) => packsOf(vault, snapshot).some(({ name }) => name === pack)).sort();
}

test('the whole vault is good, and every file of every backup reads back', async () => {
  const store = await changed(vault, () => {});
  for (const [snapshot, contents] of vault.contents) expect((await readBack(opened(vault, store), snapshot, contents)).equal).toHaveLength(contents.size);
  const report = await verified(store);
  expect(report.damage).toEqual([]);
  expect(outcomeOf(report)).toBeUndefined();
  expect(report.backups.map(({ result }) => result)).toEqual(['good', 'good', 'good']);
});

describe('packs', () => {
  const FLIPS: readonly [string, number][] = [
    ['the magic', 0], ['the version', 4], ['the cipher', 5], ['a reserved byte', 6], ['the key number', 11], ['the salt of the first frame', 20], ['the body of the first frame', 16 + 60],
    ['the sealed directory', -40], ['the magic of the footer', -16], ['the version in the footer', -12], ['the cipher in the footer', -11], ['a reserved byte of the footer', -10], ['the key number in the footer', -5], ['the length of the directory', -1],
  ];

  test.each(PACKS.flatMap(([which, pack]) => FLIPS.map(([where, at]) => ({ which, pack, where, at }))))('$which with one bit of $where flipped is named with the backups that need it', async ({ pack, at }) => {
    const report = await verifyAndRead((objects) => flip(objects, pack(), at));
    expect(report.damage.map(({ name }) => name)).toEqual([pack()]);
    expect(touchedBy(report, pack())).toEqual(needing(pack()));
    expect(outcomeOf(report)).toBe('damaged');
  });

  test.each(PACKS)('%s cut short is named', async (_, pack) => {
    const report = await verifyAndRead((objects) => truncate(objects, pack(), 100));
    expect(report.damage.map(({ name }) => name)).toContain(pack());
    expect(touchedBy(report, pack())).toEqual(needing(pack()));
  });

  test.each(PACKS)('%s missing is named', async (_, pack) => {
    const report = await verifyAndRead((objects) => void objects.delete(pack()));
    expect(report.damage.find(({ name }) => name === pack())?.problems).toEqual(['it is missing']);
    expect(touchedBy(report, pack())).toEqual(needing(pack()));
  });

  test('packs under each other\'s names are both named', async () => {
    const [one, other] = [largest('packs/hot', [snapshots.base()]), largest('packs/hot', [snapshots.dump()])];
    const report = await verifyAndRead((objects) => swap(objects, one, other));
    expect(report.damage.map(({ name }) => name)).toEqual(expect.arrayContaining([one, other]));
    expect(report.backups.every(({ result }) => result === 'corrupted')).toBe(true);
  });
});

describe('manifests and lists of packs', () => {
  const SEALED = [0, 4, 5, 6, 8, 11, 12, 40, 200, -1];
  const OBJECTS: readonly [string, () => string][] = (['base', 'delta', 'dump'] as const).flatMap((which) => [
    [`the manifest of the ${which}`, snapshots[which]] as [string, () => string],
    [`the refs of the ${which}`, () => `${snapshots[which]().replace('snapshots/', 'refs/')}.0`] as [string, () => string],
  ]);
  const damages: readonly [string, (objects: Objects, name: string) => void][] = [
    ...SEALED.map((at): [string, (objects: Objects, name: string) => void] => [`bit flipped at ${at}`, (objects, name) => flip(objects, name, at)]),
    ['cut to half', (objects, name) => truncate(objects, name, 200)],
    ['cut to nothing', (objects, name) => truncate(objects, name, 0)],
    ['missing', (objects, name) => void objects.delete(name)],
  ];

  test.each(OBJECTS.flatMap(([which, name]) => damages.map(([how, damage]) => ({ which, name, how, damage }))))('$which, $how, is named and only its backup is touched', async ({ name, damage }) => {
    const report = await verifyAndRead((objects) => damage(objects, name()));
    const snapshot = name().replace('refs/', 'snapshots/').replace(/\.0$/, '');
    expect(report.damage.map((object) => object.name)).toEqual([name()]);
    expect(touchedBy(report, name())).toEqual([snapshot]);
    expect(report.damage[0]?.lost).toContain(snapshot.split('/')[2]);
    expect(report.backups.filter(({ result }) => result === 'corrupted').map((backup) => backup.snapshot)).toEqual(report.backups.filter((backup) => backup.snapshot === snapshot).map((backup) => backup.snapshot));
  });

  test.each([
    ['manifests', () => [snapshots.base(), snapshots.delta()]],
    ['refs', () => [`${snapshots.base().replace('snapshots/', 'refs/')}.0`, `${snapshots.delta().replace('snapshots/', 'refs/')}.0`]],
  ])('%s under each other\'s names are both named', async (_, pair) => {
    const [one, other] = pair() as [string, string];
    const report = await verifyAndRead((objects) => swap(objects, one, other));
    expect(report.damage.map(({ name }) => name).sort()).toEqual([one, other].sort());
    expect(touchedBy(report, one)).toEqual([snapshots.base()]);
    expect(touchedBy(report, other)).toEqual([snapshots.delta()]);
  });
});

describe('objects that no backup needs', () => {
  interface Case {
    readonly which: string;
    readonly name: () => string;
    readonly flips: () => readonly number[];
    /** Another of its kind, or another's name. */
    readonly swap: (objects: Objects) => readonly string[];
    /** What verify says when it is gone: a name, a word in a note, or nothing because nobody can know. */
    readonly gone: { readonly named?: () => string; readonly noted?: () => string };
  }
  const anywhere = () => [0, 4, 5, 6, 8, 11, 12, 60, -1];
  /** In plain JSON: the brace, a digit of the id, the last byte. */
  const inJson = (name: () => string, id: () => string) => () => [0, Buffer.from(vault.objects.get(name()) as Uint8Array).indexOf(id()) + 3, -1];
  const swapped = (folder: string, one: number, other: number) => (objects: Objects) => {
    swap(objects, nth(folder, one), nth(folder, other));
    return [nth(folder, one), nth(folder, other)];
  };
  const moved = (from: () => string, to: () => string) => (objects: Objects) => {
    move(objects, from(), to());
    return [to()];
  };
  const OTHER = '01HZZZZZZZZZZZZZZZZZZZZZZZ';
  const idOf = (name: string) => (name.split('/').at(-1) as string).split('.')[0] as string;
  const CASES: readonly Case[] = [
    { which: 'an index', name: () => nth('index', 1), flips: anywhere, swap: swapped('index', 1, 3), gone: { noted: () => nth('index', 1) } },
    { which: 'a partial', name: () => nth('partial', 0), flips: inJson(() => nth('partial', 0), () => FILES_PLAN), swap: moved(() => nth('partial', 0), () => `partial/${FILES_PLAN}/${OTHER}-0`), gone: {} },
    { which: 'a verdict', name: () => nth('verdicts', 1), flips: anywhere, swap: swapped('verdicts', 1, 3), gone: {} },
    { which: 'a note of what was read', name: () => nth('coverage', 0), flips: anywhere, swap: moved(() => nth('coverage', 0), () => `coverage/${OTHER}`), gone: {} },
    { which: 'a note of a damaged pack', name: () => nth('damaged', 0), flips: inJson(() => nth('damaged', 0), () => idOf(nth('damaged', 0))), swap: swapped('damaged', 0, 1), gone: {} },
    { which: 'a mark', name: () => nth('condemned', 0), flips: inJson(() => nth('condemned', 0), () => idOf(nth('condemned', 0))), swap: swapped('condemned', 0, 2), gone: { noted: () => nth('condemned', 1) } },
    { which: 'a ruling', name: () => nth('condemned', 1), flips: () => [0, 20, 25, -1], swap: moved(() => nth('condemned', 1), () => `condemned/${'0'.repeat(32)}.${OTHER}.ruling`), gone: {} },
    { which: 'the record of a removal', name: () => nth('removed', 0), flips: anywhere, swap: moved(() => nth('removed', 0), () => `removed/${FILES_PLAN}/${OTHER}`), gone: { named: () => nth('removed', 0).replace('removed/', 'snapshots/') } },
  ];

  test.each(CASES)('$which with a flipped bit or cut short is named and no backup is corrupted by it', async ({ name, flips }) => {
    for (const at of flips()) expectOnly(await verifyAndRead((objects) => flip(objects, name(), at)), [name()]);
    for (const length of [0, 20]) expectOnly(await verifyAndRead((objects) => truncate(objects, name(), length)), [name()]);
  });

  test.each(CASES)('$which under another name is named, or the name that it belongs to is', async ({ swap: change, which }) => {
    let wanted: readonly string[] = [];
    const report = await verifyAndRead((objects) => void (wanted = change(objects)));
    const told = [...report.damage.map(({ name }) => name), ...report.notes.map(({ message }) => message)];
    for (const name of wanted) expect(told.some((text) => text.includes(name))).toBe(true);
    if (which !== 'the record of a removal') expect(report.backups.map(({ result }) => result)).toEqual(['good', 'good', 'good']);
  });

  test.each(CASES)('$which that is gone takes no backup with it', async ({ name, gone }) => {
    const report = await verifyAndRead((objects) => void objects.delete(name()));
    expect(report.damage.map((object) => object.name)).toEqual(gone.named ? [gone.named()] : []);
    if (gone.noted) expect(report.notes.map(({ message }) => message).join('\n')).toContain(gone.noted());
    expect(report.backups.map(({ result }) => result)).toEqual(['good', 'good', 'good']);
  });

  function expectOnly(report: VerifyReport, names: readonly string[]): void {
    expect(report.damage.map(({ name }) => name)).toEqual(names);
    expect(report.backups.map(({ result }) => result)).toEqual(['good', 'good', 'good']);
    expect(outcomeOf(report)).toBe('damaged');
  }
});
