import { decide } from '../../../lib/recovery/values/restore-values.ts';

const value = (type: string, content: string | undefined, modified = 0) => ({ type, modified, content: content === undefined ? undefined : Buffer.from(content) });
const wanted = (type: string, content: string) => ({ ...value(type, content, 5), content: Buffer.from(content) });

describe('what becomes of a value that is there (S8, R1)', () => {
  it.each(['changed', 'older', 'always'] as const)('a secret that had no value when it was kept takes none away, even with --overwrite %s', (overwrite) => {
    expect(decide(wanted('none', ''), value('text', 'theirs'), overwrite)).toMatchObject({ action: 'conflict', reason: expect.stringContaining('it had no value when it was kept') });
    expect(decide(wanted('none', ''), undefined, overwrite).action).toBe('create');
    expect(decide(wanted('text', 'kept'), value('none', ''), overwrite).action).toBe('overwrite');
  });

  it.each([['never', 'conflict'], ['older', 'overwrite'], ['changed', 'overwrite'], ['always', 'overwrite']] as const)('another value, with --overwrite %s: %s', (overwrite, action) => {
    expect(decide(wanted('text', 'kept'), value('text', 'theirs'), overwrite).action).toBe(action);
    expect(decide(wanted('text', 'kept'), value('text', undefined), overwrite).action).toBe('undelete');
  });
});
