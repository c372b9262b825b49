import { leftOutInWords, sameEntries } from '../../lib/aws/left-out-words.ts';
import type { ByteString } from '../../lib/model/byte-string.ts';
import type { PlannedEntry } from '../../lib/recovery/restore.ts';

const skip = (path: string, reason: string, left?: 'same' | 'different'): PlannedEntry => ({ path: path as ByteString, action: 'skip', bytes: 1, reason, ...(left === undefined ? {} : { left }) });

describe('what a restore in AWS left out, in words (R3)', () => {
  it('names each reason once, with how many entries and one of them; what differs first', () => {
    const skipped = [skip('a', 'its content could not be read'), skip('b', 'the size differs', 'different'), skip('c', 'the size differs', 'different'), skip('d', 'it is the same', 'same')];
    const refused = [{ path: 'e' as ByteString, kind: 'conflict' as const, reason: 'a file stands there' }];
    expect(leftOutInWords({ skipped, refused })).toEqual(['2 entries left as they are, such as b: the size differs', '1 entry not restored, such as a: its content could not be read', '1 entry not restored, such as e: a file stands there']);
    expect(sameEntries({ skipped })).toBe(1);
  });

  it('says nothing of what is there as in the backup', () => {
    expect(leftOutInWords({ skipped: [skip('d', 'it is the same', 'same')], refused: [] })).toEqual([]);
  });
});
