import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprintsOf } from '../../../lib/backup/wal/acknowledged.ts';
import { makeRoom, noteFetched, takeFetched } from '../../../lib/recovery/pitr/fetched-ahead.ts';
import type { AheadPlace } from '../../../lib/recovery/pitr/fetched-ahead.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NAME = '000000010000000000000003';
const TARGET = 'pg_wal/RECOVERYXLOG';
const SYSTEM = '7713232593048825347';
const NOON = Date.UTC(2026, 10, 28, 12);
const MINUTE = 60_000;

/** A data directory in recovery, and a segment that was written out ahead for it. */
function recovery() {
  const workingFolder = temporaryFolder();
  for (const folder of ['pg_wal', 'global']) mkdirSync(join(workingFolder, folder));
  control(workingFolder, SYSTEM);
  const config = join(workingFolder, 'holdfast.yaml');
  writeFileSync(config, 'vaults: one');
  const place: AheadPlace = { words: ['--plan', 'cluster'], environment: { HOME: workingFolder }, workingFolder, now: NOON };
  const folder = makeRoom(place, [NAME]);
  writeFileSync(join(folder, NAME), 'wal');
  noteFetched(folder, NAME, { sha256: createHash('sha256').update('wal').digest('hex'), systemId: SYSTEM, fetchedAt: NOON, chosenBy: fingerprintsOf([config]) });
  return { place, folder, config, target: join(workingFolder, TARGET) };
}

function control(workingFolder: string, systemId: string): void {
  const bytes = Buffer.alloc(8192);
  bytes.writeBigUInt64LE(BigInt(systemId));
  writeFileSync(join(workingFolder, 'global', 'pg_control'), bytes);
}

describe('a segment that was fetched ahead (R4)', () => {
  it('is where it is wanted, once, and nothing of it is left', async () => {
    const { place, folder, target } = recovery();
    expect(await takeFetched({ ...place, now: NOON + MINUTE }, NAME, TARGET)).toBe(true);
    expect(readFileSync(target, 'utf8')).toBe('wal');
    expect(readdirSync(folder)).toEqual([]);
    expect(await takeFetched(place, NAME, TARGET)).toBe(false);
  });

  it.each<[string, (made: ReturnType<typeof recovery>) => Partial<AheadPlace> | void]>([
    ['its bytes are not those that the vault vouched for', ({ folder }) => writeFileSync(join(folder, NAME), 'wa\0')],
    ['it is cut short', ({ folder }) => writeFileSync(join(folder, NAME), 'wa')],
    ['the data directory is of another system', ({ place }) => control(place.workingFolder, '7')],
    ['there is no data directory that says which system it is', ({ place }) => renameSync(join(place.workingFolder, 'global'), join(place.workingFolder, 'gone'))],
    ['the configuration names another vault now', ({ config }) => writeFileSync(config, 'vaults: other')],
    ['it is left from an earlier recovery', () => ({ now: NOON + 61 * MINUTE })],
    ['the clock was turned back', () => ({ now: NOON - MINUTE })],
    ['it is of another plan, vault or key', () => ({ words: ['--plan', 'other'] })],
  ])('is not given away when %s', async (_, spoil) => {
    const made = recovery();
    const other = spoil(made) ?? {};
    expect(await takeFetched({ ...made.place, ...other }, NAME, TARGET)).toBe(false);
    expect(existsSync(made.target)).toBe(false);
  });

  it('goes when recovery is somewhere else by now', () => {
    const { place, folder } = recovery();
    makeRoom(place, [NAME, '000000010000000000000004']);
    expect(readdirSync(folder).sort()).toEqual([NAME, `${NAME}.json`]);
    makeRoom(place, ['000000010000000000000005']);
    expect(readdirSync(folder)).toEqual([]);
  });
});
