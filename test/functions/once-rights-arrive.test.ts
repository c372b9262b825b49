import { onceRightsArrive } from '../../functions/vault-init/once-rights-arrive.ts';
import { HoldfastError } from '../../lib/model/errors.ts';

describe('rights that were made a moment ago', () => {
  let now: number;
  let calls: number;
  const clock = { now: () => now, sleep: (milliseconds: number) => { now += milliseconds; return Promise.resolve(); } };
  const failing = (code: 'permission' | 'wrong-key', times: number) => () => (++calls <= times ? Promise.reject(new HoldfastError(code, 'no')) : Promise.resolve('made'));

  beforeEach(() => {
    [now, calls] = [1_000, 0];
  });

  it('are waited for', async () => {
    expect(await onceRightsArrive(failing('permission', 7), clock)).toBe('made');
    expect([calls, now]).toEqual([8, 36_000]);
  });

  it('are waited for a minute and no longer: then the deploy says what is refused', async () => {
    await expect(onceRightsArrive(failing('permission', Infinity), clock)).rejects.toMatchObject({ code: 'permission' });
    expect(now).toBe(61_000);
  });

  it('are not what another error is about', async () => {
    await expect(onceRightsArrive(failing('wrong-key', 1), clock)).rejects.toMatchObject({ code: 'wrong-key' });
    expect([calls, now]).toEqual([1, 1_000]);
  });
});
