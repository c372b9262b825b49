import { existsSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromText } from '../../../lib/model/byte-string.ts';
import { temporaryName } from '../../../lib/model/process-owner.ts';
import type { Owner, ProcessTable } from '../../../lib/model/process-owner.ts';
import { findLeftovers, removeLeftovers } from '../../../lib/recovery/export/export-leftovers.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const SELF: Owner = { machine: 'aa', boot: 'bb', namespace: 'cc', pid: 100, started: '5000' };
/** Process 100 is this one, 200 another that runs. */
const processes: ProcessTable = { self: SELF, startOf: (pid) => ({ 100: '5000', 200: '6000' })[pid] };
const now = Date.now();
const WEEK = 7 * 24 * 3_600_000;

const nameOf = (owner: Partial<Owner>) => `.holdfast-export-${temporaryName({ ...SELF, ...owner }, Buffer.alloc(8, 7))}`;

describe('what an export that was killed left (K9)', () => {
  it.each<[string, string, number, boolean | 'not told']>([
    ['of this process', nameOf({}), 0, 'not told'],
    ['of another that runs, however long ago it wrote', nameOf({ pid: 200, started: '6000' }), 8 * 24, 'not told'],
    ['of a process that is gone', nameOf({ pid: 300 }), 0, true],
    ['of a process whose number another one has now', nameOf({ pid: 200, started: '1' }), 0, true],
    ['of before this machine was started', nameOf({ boot: 'dd' }), 0, true],
    ['of another container', nameOf({ namespace: 'dd', pid: 300 }), 0, false],
    ['of another machine', nameOf({ machine: 'dd', boot: 'dd' }), 167, false],
    ['of another machine, a week later', nameOf({ machine: 'dd', boot: 'dd' }), 169, true],
    ['under a name that says nothing of its process', '.holdfast-export-0011223344556677', 1, false],
    ['under such a name, a week later', '.holdfast-export-0011223344556677', 169, true],
    ['under another name', '.holdfast-0011', 1000, 'not told'],
  ])('%s', async (_what, name, hours, isAbandoned) => {
    const folder = temporaryFolder();
    const path = join(folder, name);
    writeFileSync(path, 'part');
    const written = (now - hours * 3_600_000) / 1000;
    utimesSync(path, written, written);
    const found = await findLeftovers(fromText(folder), { processes, now });
    expect(found).toEqual(isAbandoned === 'not told' ? [] : [{ path, bytes: 4, isAbandoned }]);
    expect(await removeLeftovers(found)).toHaveLength(isAbandoned === true ? 1 : 0);
    expect(existsSync(path)).toBe(isAbandoned !== true);
  });

  it('is a file: links and directories of such a name stay, and a directory that is not there has none', async () => {
    const folder = temporaryFolder();
    symlinkSync('elsewhere', join(folder, nameOf({ pid: 300 })));
    mkdirSync(join(folder, nameOf({ pid: 301 })));
    expect(await findLeftovers(fromText(folder), { processes, now: now + 2 * WEEK })).toEqual([]);
    expect(await findLeftovers(fromText(join(folder, 'nowhere')), { processes, now })).toEqual([]);
  });

  it('that somebody else removed meanwhile is not told as removed', async () => {
    expect(await removeLeftovers([{ path: fromText(join(temporaryFolder(), 'gone')), bytes: 1, isAbandoned: true }])).toEqual([]);
  });
});
