import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { acknowledge, fingerprint, forgetOthers, readyFiles, takeAcknowledged } from '../../../lib/backup/wal/acknowledged.ts';
import { scriptAnswers } from '../../support/holdfast-wal.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const NAME = '000000010000000000000003';

function place(words: readonly string[] = ['--plan', 'cluster']) {
  const workingFolder = temporaryFolder();
  mkdirSync(join(workingFolder, 'pg_wal', 'archive_status'), { recursive: true });
  writeFileSync(join(workingFolder, 'pg_wal', NAME), 'wal');
  return { words, environment: { HOME: workingFolder }, workingFolder };
}

/** Both read the same notes: what one of them answers, the other must. */
const READERS: readonly (readonly [string, typeof takeAcknowledged])[] = [
  ['the entry of the program', takeAcknowledged],
  ['the script', (place, path, name) => scriptAnswers(place, ['archive', path, name])],
];

describe.each(READERS)('what was archived ahead, as %s finds it (S2)', (_, isAnswered) => {
  it('is answered once, for the very file that was read', () => {
    const here = place();
    const path = join(here.workingFolder, 'pg_wal', NAME);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(false);
    acknowledge(here, NAME, fingerprint(path), []);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(true);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(false);
  });

  it.each<[string, (path: string) => void]>([
    ['was written to since', (path) => writeFileSync(path, 'wal and more')],
    ['is another one under the same name', (path) => (writeFileSync(`${path}.new`, 'wal'), renameSync(`${path}.new`, path))],
    ['is gone', (path) => renameSync(path, `${path}.gone`)],
  ])('is not answered when the file %s', (_, change) => {
    const here = place();
    const path = join(here.workingFolder, 'pg_wal', NAME);
    acknowledge(here, NAME, fingerprint(path), []);
    change(path);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(false);
  });

  it.each<[string, (file: string) => void]>([
    ['names another vault now', (file) => writeFileSync(file, 'vaults: other')],
    ['is another one under the same name', (file) => (writeFileSync(`${file}.new`, 'vaults: one'), renameSync(`${file}.new`, file))],
    ['is gone', (file) => renameSync(file, `${file}.gone`)],
  ])('is not answered when what chose the vault %s', (_, change) => {
    const here = place();
    const path = join(here.workingFolder, 'pg_wal', NAME);
    const config = join(here.workingFolder, 'holdfast 1.yaml');
    writeFileSync(config, 'vaults: one');
    acknowledge(here, NAME, fingerprint(path), [fingerprint(config)]);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(true);
    acknowledge(here, NAME, fingerprint(path), [fingerprint(config)]);
    change(config);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(false);
  });

  it('is not answered for another plan, vault or key', () => {
    const here = place();
    acknowledge(here, NAME, fingerprint(join(here.workingFolder, 'pg_wal', NAME)), []);
    expect(isAnswered({ ...here, words: ['--plan', 'other'] }, `pg_wal/${NAME}`, NAME)).toBe(false);
    expect(isAnswered({ ...here, words: ['--plan', 'cluster', ''] }, `pg_wal/${NAME}`, NAME)).toBe(false);
    expect(isAnswered({ ...here, environment: { ...here.environment, HOLDFAST_VAULT: '/elsewhere' } }, `pg_wal/${NAME}`, NAME)).toBe(false);
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(true);
  });

  it('is found again by variables of every kind, wherever the state is kept', () => {
    const here = place(["--key-file", "it's a \"key\"\n"]);
    const XDG_STATE_HOME = join(here.workingFolder, 'state of \u00fc');
    const asked = { ...here, environment: { XDG_STATE_HOME, HOLDFAST_B: 'two\nlines', HOLDFAST_A: 'b c', HOLDFAST_A_B: '', HOLDFAST_: '\u00e9', OTHER: 'HOLDFAST_Z=1' } };
    acknowledge(asked, NAME, fingerprint(join(here.workingFolder, 'pg_wal', NAME)), []);
    expect(isAnswered(asked, `pg_wal/${NAME}`, NAME)).toBe(true);
    expect(isAnswered({ ...asked, environment: { ...asked.environment, HOLDFAST_A: 'b  c' } }, `pg_wal/${NAME}`, NAME)).toBe(false);
  });

  it('is forgotten when PostgreSQL does not wait for it any more', () => {
    const here = place();
    acknowledge(here, NAME, fingerprint(join(here.workingFolder, 'pg_wal', NAME)), []);
    forgetOthers(here, new Set([NAME]));
    expect(readdirSync(join(here.workingFolder, '.local', 'state', 'holdfast', 'wal-acknowledged')).length).toBe(1);
    forgetOthers(here, new Set());
    expect(isAnswered(here, `pg_wal/${NAME}`, NAME)).toBe(false);
  });
});

describe('files that are ready (S2)', () => {
  it('follow the order in which PostgreSQL asks, and what is done is passed over', () => {
    const here = place();
    const folder = join(here.workingFolder, 'pg_wal');
    for (const name of [`${NAME}.ready`, '000000010000000000000002.ready', '00000002.history.ready', '000000010000000000000001.done']) writeFileSync(join(folder, 'archive_status', name), '');
    expect(readyFiles(folder)).toEqual(['00000002.history', '000000010000000000000002', NAME]);
    expect(readyFiles(join(folder, 'none'))).toEqual([]);
    expect(existsSync(join(folder, 'none'))).toBe(false);
  });
});
