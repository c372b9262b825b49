import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { Subkeys, decodeRefs, openRepository, signRefs } from '../../lib/repository/index.ts';
import type { PackRef, Refs, Repository } from '../../lib/repository/index.ts';
import { hostileObjects } from './hostile.ts';
import type { Hostile } from './hostile.ts';
import { KINDS_HOSTILE } from './kinds-hostile.ts';
import type { ExpectedKey } from './kinds-keys.ts';
import type { MustFail, Patch } from './must-fail.ts';
import type { KindsBackup } from './v1-kinds.ts';

/** Changes that a reader passes over: everything opens as if they were not there. */
export type Tolerated = Pick<MustFail, 'title' | 'patches'>;

interface Expected {
  readonly keys: readonly ExpectedKey[];
  readonly backups: readonly KindsBackup[];
}

/** What the cases are made of: names of objects that readers of backups meet. */
interface Subjects {
  readonly backups: Readonly<Record<'base' | 'delta' | 'dumps' | 'archive', KindsBackup>>;
  readonly slots: readonly string[];
  readonly index: readonly string[];
  readonly verdict: string;
  refs(backup: KindsBackup, revision?: number): string;
  packs(backup: KindsBackup, packClass: string): readonly PackRef[];
}

/** Writes `must-fail.json` and `tolerated.json`. All rows are for who opens the vault with `holdfast.key`. */
export async function makeKindsCases(repository: Repository, target: string): Promise<void> {
  const subjects = await gather(repository, JSON.parse(readFileSync(join(target, 'expected.json'), 'utf8')) as Expected);
  const forged = Object.entries(KINDS_HOSTILE).map(([title, hostile]) => forge(repository, title, hostile));
  const foreign = openRepository(repository.store, { ...repository.config, repository: newHexId<RepositoryId>() }, repository.keys.keys);
  const ofOthers = forge(foreign, 'a backup of another repository that has the same keys', { says: 'seal', build: (forger) => forger.files('x') });
  const rows = [...packCases(subjects), ...swapCases(subjects), ...(await refsCases(repository, subjects)), ...slotCases(subjects), ofOthers, ...forged];
  writeRows(join(target, 'must-fail.json'), rows);
  writeRows(join(target, 'tolerated.json'), toleratedCases(subjects));
}

async function gather({ store, config }: Repository, { keys, backups }: Expected): Promise<Subjects> {
  const objects = (await Array.fromAsync(store.list(''))).map(({ name }) => name);
  const [base, delta, dumps, archive] = backups as [KindsBackup, KindsBackup, KindsBackup, KindsBackup];
  const refs = ({ plan, backup, refsRevision }: KindsBackup, revision = refsRevision) => `refs/${plan}/${backup}.${revision}`;
  const newest = new Map<KindsBackup, Refs>();
  for (const backup of backups) newest.set(backup, decodeRefs(await store.get(refs(backup)), refs(backup), config.repository));
  return {
    backups: { base, delta, dumps, archive },
    slots: keys[0]?.slots ?? [],
    index: objects.filter((name) => name.startsWith('index/')),
    verdict: objects.find((name) => name.startsWith(`verdicts/${base.backup}/`)) ?? '',
    refs,
    packs: (backup, packClass) => newest.get(backup)?.packs.filter(({ name }) => name.startsWith(`packs/${packClass}/`)) ?? [],
  };
}

function forge(repository: Repository, title: string, { says, code = 'damaged', build }: Hostile): MustFail {
  const patches = [...hostileObjects(repository, build)].map(([object, bytes]) => ({ object, bytes: Buffer.from(bytes).toString('base64') }));
  return { title, patches, code, says };
}

function packCases({ backups, packs }: Subjects): MustFail[] {
  const rows: MustFail[] = [];
  for (const [backup, packClass] of [[backups.base, 'hot'], [backups.dumps, 'warm'], [backups.archive, 'cold'], [backups.archive, 'meta'], [backups.delta, 'meta']] as const) {
    const [pack] = packs(backup, packClass) as [PackRef];
    const title = `a ${packClass} pack (${backup.cipher}, ${packClass === 'meta' ? 'zstd' : backup.codec})`;
    rows.push({ title: `${title} with one flipped bit in its first frame`, patches: [{ object: pack.name, flip: 60 }], code: 'damaged', says: 'seal' });
    rows.push({ title: `${title} with one flipped bit in its directory`, patches: [{ object: pack.name, flip: pack.size - 30 }], code: 'damaged', says: 'seal' });
    rows.push({ title: `${title} that ends early`, patches: [{ object: pack.name, truncate: pack.size - 1 }], code: 'damaged', says: '' });
    rows.push({ title: `${title} that is empty`, patches: [{ object: pack.name, truncate: 0 }], code: 'damaged', says: '' });
    rows.push({ title: `${title} that is gone`, patches: [{ object: pack.name, remove: true }], code: 'not-found', says: '' });
  }
  return rows;
}

/** Whole, genuine objects where they do not belong. */
function swapCases({ backups: { base, delta, dumps, archive }, packs, index, refs }: Subjects): MustFail[] {
  const [hot, warm, cold] = [packs(base, 'hot')[0], packs(dumps, 'warm')[0], packs(archive, 'cold')[0]] as [PackRef, PackRef, PackRef];
  const snapshot = ({ plan, backup }: KindsBackup) => `snapshots/${plan}/${backup}`;
  const swapped = (title: string, object: string, contentOf: string, says: string): MustFail => ({ title, patches: [{ object, contentOf }], code: 'damaged', says });
  return [
    swapped('a warm pack under the name of a hot one', hot.name, warm.name, ''),
    swapped('a cold pack under the name of a warm one', warm.name, cold.name, ''),
    { title: 'two packs that changed places', patches: [{ object: hot.name, contentOf: cold.name }, { object: cold.name, contentOf: hot.name }], code: 'damaged', says: '' },
    swapped('the snapshot of the backup before under the name of a later one', snapshot(delta), snapshot(base), 'seal'),
    swapped('the snapshot of another plan', snapshot(dumps), snapshot(archive), 'seal'),
    swapped('an index in the place of another', index[0] as string, index[1] as string, 'seal'),
    swapped('refs of another plan', refs(dumps), refs(archive, 0), 'not those that the manifest names'),
  ];
}

async function refsCases({ keys, store, config }: Repository, { backups: { archive }, refs, packs }: Subjects): Promise<MustFail[]> {
  const name = refs(archive);
  const genuine = decodeRefs(await store.get(name), name, config.repository);
  const stranger = new Subkeys(config.repository, { pairs: [{ number: 1, meta: randomBytes(32) }], chunker: keys.keys.chunker });
  const title = 'the refs of packs that were moved';
  const lost = { code: 'not-found', says: '' } as const;
  // Readers fall back to the revision before, which names packs that are gone.
  return [
    { title: `${title}, signed with a foreign key`, patches: [{ object: name, json: { mac: signRefs(stranger, name, genuine).mac } }], ...lost },
    { title: `${title}, with one replacement taken out`, patches: [{ object: name, json: { replaced: genuine.replaced.slice(1) } }], ...lost },
    { title: `${title}, with an empty MAC`, patches: [{ object: name, json: { mac: '' } }], ...lost },
    { title: `${title}, that are gone`, patches: [{ object: name, remove: true }], ...lost },
    { title: `${title}, of a newer format`, patches: [{ object: name, json: { format: 2 } }], code: 'unsupported-version', says: 'format version 2' },
    { title: `${title}, of another repository`, patches: [{ object: name, json: { repository: '0123456789abcdef0123456789abcdef' } }], ...lost },
    { title: 'a pack that was moved and is gone', patches: [{ object: packs(archive, 'cold')[0]?.name ?? '', remove: true }], ...lost },
  ];
}

function slotCases({ slots: [first, second] }: Subjects): MustFail[] {
  const [one, two] = [first, second] as [string, string];
  return [
    { title: 'the slot of key number 2 under the name of that of number 1', patches: [{ object: one, contentOf: two }], code: 'wrong-key', says: 'key number 1' },
    { title: 'the slot of key number 2 that is gone', patches: [{ object: two, remove: true }], code: 'wrong-key', says: 'key number 2' },
    { title: 'a slot with another check value', patches: [{ object: one, json: { check: Buffer.alloc(16).toString('base64') } }], code: 'wrong-key', says: 'key number 1' },
    { title: 'slots of another repository', patches: [one, two].map((object) => ({ object, json: { repository: '0123456789abcdef0123456789abcdef' } })), code: 'wrong-key', says: 'opens none of the' },
    { title: 'a slot of a newer format', patches: [{ object: one, json: { format: 2 } }], code: 'unsupported-version', says: 'format version 2' },
    { title: 'slots whose wrapped keys were changed', patches: [one, two].map((object) => ({ object, json: { wrapped: { meta: zeroes(48), data: zeroes(48), chunker: zeroes(48) } } })), code: 'damaged', says: 'not what was wrapped there' },
  ];
}

function toleratedCases({ backups: { base, archive, dumps }, index, verdict, refs }: Subjects): Tolerated[] {
  const bytes = (text: string) => Buffer.from(text).toString('base64');
  const later = refs(archive, 4);
  const patches: Readonly<Record<string, readonly Patch[]>> = {
    'no index at all': index.map((object) => ({ object, remove: true as const })),
    'an index that is damaged': [{ object: index[0] as string, flip: 40 }],
    'fields of holdfast.json that nobody knows': [{ object: 'holdfast.json', json: { future: { anything: 1 } } }],
    'reserved bytes in the head of a snapshot': [{ object: `snapshots/${base.plan}/${base.backup}`, flip: 6 }],
    'objects that are no part of a backup': [{ object: 'kit/README.txt', bytes: bytes('read me\n') }, { object: 'evidence/2026/drill', bytes: bytes('{}') }, { object: 'future/thing', bytes: bytes('?') }],
    'an object that is no key slot below keys/': [{ object: 'keys/1/notes.txt', bytes: bytes('notes\n') }],
    'a verdict that is damaged': [{ object: verdict, flip: 40 }],
    'a later revision of refs that nobody signed': [{ object: later, contentOf: refs(archive, 0) }],
    'a later revision of refs that is no JSON': [{ object: later, bytes: bytes('{"format":1,') }],
    'a revision of refs between that is gone': [{ object: refs(archive, 1), remove: true }],
    'a file beside refs that is no revision': [{ object: `${refs(dumps, 0)}-copy`, contentOf: refs(archive, 0) }],
  };
  return Object.entries(patches).map(([title, all]) => ({ title, patches: all }));
}

function writeRows(path: string, rows: readonly object[]): void {
  writeFileSync(path, `[\n${rows.map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
}

function zeroes(length: number): string {
  return Buffer.alloc(length).toString('base64');
}
