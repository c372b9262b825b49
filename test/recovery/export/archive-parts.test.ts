import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { display } from '../../../lib/model/byte-string.ts';
import { FLAG, SnapshotReader, isSnapshotFile } from '../../../lib/repository/index.ts';
import { walkEntries } from '../../../lib/recovery/entry-walk.ts';
import { archiveParts } from '../../../lib/recovery/export/archive-parts.ts';
import { readParts } from '../../../lib/recovery/export/content-windows.ts';
import { exportBlocks, rawParts } from '../../../lib/recovery/export/export-blocks.ts';
import { selectEntries } from '../../../lib/recovery/selection.ts';
import { MemoryStore } from '../../../lib/stores/memory-store.ts';
import { FixtureSnapshot } from '../../support/fixture-snapshot.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const MIB = 1 << 20;
const GROUP = new Uint8Array(16).fill(7);
const fixture = () => new FixtureSnapshot(new MemoryStore(systemClock), { frameBytes: 64 << 10 }).directory('');

interface Extracted {
  readonly folder: string;
  readonly leftOut: readonly string[];
  readonly lost: readonly string[];
  readonly archiveBytes: number;
}

async function extracted(reader: SnapshotReader, keepsHoles = true): Promise<Extracted> {
  const [leftOut, lost]: [string[], string[]] = [[], []];
  const parts = archiveParts(reader, walkEntries(reader, selectEntries([]), () => undefined), {
    except: new Set(), keepsHoles, keepsLinks: true, onLeftOut: ({ path }, reason) => leftOut.push(`${display(path)}: ${reason}`), onLost: (path, { message }) => lost.push(`${display(path)}: ${message}`),
  });
  const blocks = await Array.fromAsync(exportBlocks(readParts(reader, parts, new AbortController().signal), { isArchive: true, onContent: () => undefined }));
  const place = temporaryFolder();
  const [archive, folder] = [join(place, 'a.tar'), join(place, 'x')];
  writeFileSync(archive, Buffer.concat(blocks));
  mkdirSync(folder);
  execFileSync('tar', ['-C', folder, '-xf', archive]);
  return { folder, leftOut, lost, archiveBytes: statSync(archive).size };
}

describe('entries as an archive (K9)', () => {
  it.each([['in the record', false], ['in list chunks', true]])('carries contents whose chunks are named %s, holes as holes', async (_where, isListed) => {
    const parts = [randomBytes(300_000), new Uint8Array(2 * MIB), randomBytes(70_001), new Uint8Array(2 * MIB), new Uint8Array(5)];
    const snapshot = fixture();
    await snapshot.file('dense', parts, { isListed });
    await snapshot.file('sparse', parts, { isListed, flags: FLAG.sparse });
    await snapshot.file('z-last', 'the end');
    const reader = await snapshot.build();
    const { folder, archiveBytes } = await extracted(reader);
    for (const name of ['dense', 'sparse']) expect(readFileSync(join(folder, name)).equals(Buffer.concat(parts))).toBe(true);
    expect(readFileSync(join(folder, 'z-last'), 'utf8')).toBe('the end');
    expect(statSync(join(folder, 'sparse')).blocks * 512).toBeLessThan(MIB);
    expect((await extracted(reader, false)).archiveBytes - archiveBytes).toBeGreaterThan(4 * MIB - 20_000);
  });

  it('keeps the length that a file had when it changed while it was read, and refuses any other that does not fit', async () => {
    const snapshot = fixture();
    await snapshot.file('changed', 'shorter', { size: 100, flags: FLAG.changed });
    await snapshot.file('wrong', 'shorter', { size: 100 });
    await snapshot.file('wrong-listed', 'shorter', { size: 100, isListed: true });
    const { folder, lost } = await extracted(await snapshot.build());
    expect([readdirSync(folder), readFileSync(join(folder, 'changed'), 'utf8')]).toEqual([['changed'], 'shorter']);
    expect(lost).toEqual(['wrong: The chunks of wrong hold 7 bytes, wanted 100', 'wrong-listed: The chunks of wrong-listed hold 7 bytes, wanted 100']);
  });

  it('leaves out what has no content and what no archive carries, and says why', async () => {
    const snapshot = fixture();
    await snapshot.file('secret', '', { size: 10, flags: FLAG.unreadable });
    snapshot.special('socket', 'socket');
    const { folder, leftOut } = await extracted(await snapshot.build());
    expect(readdirSync(folder)).toEqual([]);
    expect(leftOut).toEqual(['secret: its content could not be read when the backup was made', 'socket: sockets are made by the program that listens on them']);
  });

  it('writes a hard-linked file once, also when its chunks are in list chunks', async () => {
    const content = [randomBytes(400_000), randomBytes(400_000)];
    const snapshot = fixture();
    for (const name of ['one', 'two']) await snapshot.file(name, content, { flags: FLAG.linked, linkGroup: GROUP, isListed: true });
    const { folder, archiveBytes } = await extracted(await snapshot.build());
    expect(statSync(join(folder, 'one')).ino).toBe(statSync(join(folder, 'two')).ino);
    expect(readFileSync(join(folder, 'two')).equals(Buffer.concat(content))).toBe(true);
    expect(archiveBytes).toBeLessThan(900_000);
  });
});

describe('the content of one entry as it is (K9)', () => {
  it('is damaged, by name, when the list of its chunks is gone', async () => {
    const store = new MemoryStore(systemClock);
    const snapshot = new FixtureSnapshot(store).directory('');
    await snapshot.file('large', [randomBytes(1000), randomBytes(1000)], { isListed: true });
    const reader = await snapshot.build();
    const [entry] = (await Array.fromAsync(reader.entries())).filter(isSnapshotFile);
    if (!entry) throw new Error('the fixture has a file');
    expect((await Array.fromAsync(rawParts(reader, entry))).flat()).toHaveLength(2);
    for (const { name } of snapshot.metaPacks) await store.remove(name);
    // Opened anew: the reader before has the list in memory.
    const again = new SnapshotReader(reader.repository, reader.manifest, reader.refs);
    await expect(Array.fromAsync(rawParts(again, entry))).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('large is damaged') });
  });
});
