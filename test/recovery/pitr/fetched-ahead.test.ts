import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintsOf } from '../../../lib/backup/wal/acknowledged.ts';
import { bootIdOf, makeRoom, noteFetched, takeFetched } from '../../../lib/recovery/pitr/fetched-ahead.ts';
import type { AheadPlace } from '../../../lib/recovery/pitr/fetched-ahead.ts';
import { scriptAnswers } from '../../support/holdfast-wal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NAME = '000000010000000000000003';
const TARGET = 'pg_wal/RECOVERYXLOG';
const SYSTEM = '7713232593048825347';
/** The script asks the machine for the time. */
const NOW = Date.now();
const MINUTE = 60_000;

/** A data directory in recovery, and a segment that was written out ahead for it. */
function recovery(fetchedAt = NOW - MINUTE) {
  const workingFolder = temporaryFolder();
  for (const folder of ['pg_wal', 'global']) mkdirSync(join(workingFolder, folder));
  control(workingFolder, SYSTEM);
  const config = join(workingFolder, 'holdfast.yaml');
  writeFileSync(config, 'vaults: one');
  const place: AheadPlace = { words: ['--plan', 'cluster'], environment: { HOME: workingFolder }, workingFolder, now: NOW };
  const folder = makeRoom(place, [NAME]);
  writeFileSync(join(folder, NAME), 'wal');
  noteFetched(folder, NAME, { sha256: createHash('sha256').update('wal').digest('hex'), systemId: SYSTEM, bootId: bootIdOf(), fetchedAt, chosenBy: fingerprintsOf([config]) });
  return { place, folder, config, target: join(workingFolder, TARGET) };
}

type Reader = typeof takeFetched;

const READERS: readonly (readonly [string, Reader])[] = [
  ['the entry of the program', takeFetched],
  ['the script', async (place, name, path) => scriptAnswers(place, ['fetch', name, path])],
];

function control(workingFolder: string, systemId: string): void {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(BigInt(systemId));
  writeFileSync(join(workingFolder, 'global', 'pg_control'), bytes);
}

describe.each(READERS)('a segment that was fetched ahead, as %s gives it away (R4)', (_, take) => {
  it('is where it is wanted, once, and nothing of it is left', async () => {
    const { place, folder, target } = recovery();
    expect(await take(place, NAME, TARGET)).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('wal');
    expect(readdirSync(folder)).not.toContain(NAME);
    expect(await take(place, NAME, TARGET)).toBe(false);
  });

  it('is taken by its absolute path, too, in the place of a file that is there', async () => {
    const { place, target } = recovery();
    writeFileSync(target, 'older');
    expect(await take(place, NAME, target)).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('wal');
  });

  it.each<[string, number]>([['it is left from an earlier recovery', NOW - 61 * MINUTE], ['the clock was turned back', NOW + 10 * MINUTE]])('is not given away when %s', async (_what, fetchedAt) => {
    const { place, target } = recovery(fetchedAt);
    expect(await take(place, NAME, TARGET)).toBe(false);
    expect(existsSync(target)).toBe(false);
  });

  it.each<[string, (made: ReturnType<typeof recovery>) => Partial<AheadPlace> | void]>([
    ['its bytes are not those that the vault vouched for', ({ folder }) => writeFileSync(join(folder, NAME), 'wa\0')],
    ['it is cut short', ({ folder }) => writeFileSync(join(folder, NAME), 'wa')],
    ['the data directory is of another system', ({ place }) => control(place.workingFolder, '7')],
    ['there is no data directory that says which system it is', ({ place }) => renameSync(join(place.workingFolder, 'global'), join(place.workingFolder, 'gone'))],
    ['the configuration names another vault now', ({ config }) => writeFileSync(config, 'vaults: other')],
    ['it is of another plan, vault or key', () => ({ words: ['--plan', 'other'] })],
  ])('is not given away when %s', async (_what, spoil) => {
    const made = recovery();
    const other = spoil(made) ?? {};
    expect(await take({ ...made.place, ...other }, NAME, TARGET)).toBe(false);
    expect(existsSync(made.target)).toBe(false);
  });
});

describe('segments that were fetched ahead (R4)', () => {
  it('are given away by the script only in the start of the machine in which they were written, and by the program only with their digest', async () => {
    const { place, folder, target } = recovery();
    const note = join(folder, `${NAME}.note`);
    writeFileSync(note, readFileSync(note, 'utf8').replace(bootIdOf(), 'b7a1b5e5-0000-4000-8000-000000000000'));
    expect(scriptAnswers(place, ['fetch', NAME, TARGET])).toBe(false);
    expect(await takeFetched(place, NAME, TARGET)).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('wal');
  });

  it('go when recovery is somewhere else by now', () => {
    const { place, folder } = recovery();
    makeRoom(place, [NAME, '000000010000000000000004']);
    expect(readdirSync(folder).sort()).toEqual([NAME, `${NAME}.note`]);
    makeRoom(place, ['000000010000000000000005']);
    expect(readdirSync(folder)).toEqual([]);
  });
});
