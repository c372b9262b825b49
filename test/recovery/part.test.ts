import { PartReader, SnapshotReader } from '../../lib/repository/index.ts';
import type { Manifest, Refs } from '../../lib/repository/index.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { partOf, refuseSeveral, sourceAt } from '../../lib/recovery/part.ts';
import { testRepository } from '../support/run-backup.ts';

const source = (type: string, description: string) => ({ type, description, paths: [] });
const part = (name: string, type: string, facts?: Record<string, string>) => ({ name, source: source(type, `the ${name}`), isRooted: false, startedAt: '2026-11-28T10:00:00.000Z', finishedAt: '2026-11-28T10:00:01.000Z', entries: 2, files: 1, bytes: 7, ...(facts && { facts }) });
const manifest = {
  backup: '01J0000000000000000000000A', planName: 'shop', source: source('set', 'all'), statistics: { entries: 9, files: 5, bytes: 70 }, startedAt: 'x', finishedAt: 'y', warnings: [],
  parts: [part('db', 'postgres', { kind: 'base' }), part('db2', 'sqlite'), part('media', 's3')], facts: { kind: 'base' },
  evidence: [{ entry: 'db/app.dump', facts: ['exit code 0'] }, { entry: 'db2/app.db', facts: ['ok'] }, { entry: 'media', facts: ['a listing that ended'] }],
} as unknown as Manifest;
const reader = (of: Manifest): SnapshotReader => new SnapshotReader(testRepository(), of, { packs: [], replaced: [] } as unknown as Refs);

describe('a part of a backup of several sources (P4)', () => {
  it('says what it would say by itself: source, times, figures, facts, and its own evidence under its own names', () => {
    const db = partOf(reader(manifest), 'db');
    expect(db).toBeInstanceOf(PartReader);
    expect(db.manifest).toMatchObject({ backup: manifest.backup, planName: 'shop', source: { type: 'postgres' }, startedAt: '2026-11-28T10:00:00.000Z', statistics: { entries: 2, files: 1, bytes: 7 }, facts: { kind: 'base' }, evidence: [{ entry: 'app.dump', facts: ['exit code 0'] }], parts: [{ name: 'db' }] });
    expect(partOf(reader(manifest), 'db2').manifest).not.toHaveProperty('facts');
    expect(partOf(reader(manifest), 'media').manifest.evidence).toEqual([{ entry: 'the media', facts: ['a listing that ended'] }]);
    const whole = reader(manifest);
    expect(partOf(whole, undefined)).toBe(whole);
  });

  it('that is not there is told with those that are; several are refused where one is wanted, one is not', () => {
    expect(() => partOf(reader(manifest), 'medai')).toThrow(/has no part medai, wanted one of db, db2, media \(did you mean "media"\?\)/);
    const { parts: _, ...single } = { ...manifest, source: source('files', '/srv') };
    expect(() => partOf(reader(single as Manifest), 'db')).toThrow(/has no parts: it is one of files alone/);
    expect(() => refuseSeveral(reader(manifest))).toThrow(/wanted the name of one with --part: db \(postgres\), db2 \(sqlite\), media \(s3\)/);
    expect(() => refuseSeveral(partOf(reader(manifest), 'db'))).not.toThrow();
    expect(() => refuseSeveral(reader(single as Manifest))).not.toThrow();
  });

  it('an entry comes from the part whose folder it lies in, never from one whose name it only begins with', () => {
    expect([sourceAt(manifest, fromText('db/x')).type, sourceAt(manifest, fromText('db2/x')).type, sourceAt(manifest, fromText('dbx')).type]).toEqual(['postgres', 'sqlite', 'set']);
  });
});
