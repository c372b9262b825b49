import type { ByteString } from '../../lib/model/byte-string.ts';
import { restoreJson, restoreLines } from '../../lib/cli/commands/restore-report.ts';
import type { RestoreReport } from '../../lib/recovery/restore.ts';

const output = { paint: (_colour: unknown, text: string) => text };
const BASE: RestoreReport = { backup: 'B', target: '/t', restored: { entries: 0, files: 0, bytes: 0 }, skipped: [], refused: [], treeDamage: [], deleted: [], leftovers: 0, warnings: [], durationMilliseconds: 1 };
const path = (text: string) => text as ByteString;
const skipped = (name: string, reason: string, left?: 'same' | 'different') => ({ action: 'skip' as const, path: path(name), bytes: 0, reason, ...(left ? { left } : {}) });

describe('the report of a restore', () => {
  const mixed = { ...BASE, skipped: [skipped('talk', 'sockets'), skipped('a', 'equal', 'same'), skipped('b', 'equal', 'same'), ...Array.from({ length: 12 }, (_, index) => skipped(`x${index}`, 'the size differs', 'different'))] };

  it('gives every group of skipped entries its own reason, names what differs, and the option that replaces it', () => {
    const lines = restoreLines(output, mixed, 'never');
    expect(lines[0]).toMatch(/^Restored in part/);
    expect(lines.slice(1, 4)).toEqual(['  differs: 12 entries left as they are: the size differs', '    x0', '    x1']);
    expect(lines.slice(12)).toEqual(['    and 2 more; --json names all', '  1 entry left as they are: sockets', '  2 entries left as they are: equal', '  next: `--overwrite changed` replaces what differs']);
  });

  it('as JSON has the count of each reason and every path that differs', () => {
    expect(restoreJson(mixed, [])).toMatchObject({
      outcome: 'target-exists',
      skippedByReason: [{ left: 'different', entries: 12, paths: mixed.skipped.slice(3).map((entry) => entry.path) }, { left: 'never-restored', entries: 1, paths: ['talk'] }, { reason: 'equal', left: 'same', entries: 2 }],
    });
  });

  it('tells what one directory bars in one line, so that other conflicts stay visible', () => {
    const below = Array.from({ length: 50 }, (_, index) => ({ path: path(`d/${index}`), kind: 'conflict' as const, reason: 'nothing can be restored below d: a file', below: path('d') }));
    const refused = [{ path: path('d'), kind: 'conflict' as const, reason: 'a file' }, ...below, { path: path('z'), kind: 'conflict' as const, reason: 'a directory' }];
    expect(restoreLines(output, { ...BASE, refused }, 'always').slice(1)).toEqual(['  not restored d and 50 entries below it: a file', '  not restored z: a directory', '  next: move away what stands in the way, or restore into another directory']);
  });
});
