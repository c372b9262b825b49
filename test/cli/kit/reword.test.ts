import { rewordFor } from '../../../lib/cli/kit/reword.ts';
import { ERROR_CODES, HoldfastError } from '../../../lib/model/errors.ts';
import type { ErrorCode } from '../../../lib/model/errors.ts';

describe('errors of the product in the words of the recovery kit', () => {
  const reword = rewordFor('node kit.mjs');
  const next = (code: ErrorCode, nextStep?: string) => reword(new HoldfastError(code, 'It failed.', nextStep === undefined ? {} : { nextStep })).nextStep;

  it.each<[ErrorCode, string, string]>([
    ['damaged', 'Run `holdfast verify --level full` to see what is touched.', 'Run `node kit.mjs verify --level full` to see what is touched.'],
    ['wrong-key', '`holdfast keys list` shows the slots.', '`node kit.mjs keys` shows the slots.'],
    ['usage', 'Give more characters of the id.', 'Give more characters of the id.'],
  ])('%s: %s becomes %s', (code, from, to) => {
    expect(next(code, from)).toBe(to);
  });

  it('never sends anybody to a command that the kit does not have', () => {
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) expect(next(code, 'Do it with `holdfast init` now.') ?? '').not.toContain('`holdfast');
    expect(next('vault-not-found', 'Check --vault, or make a vault there with `holdfast init`.')).toContain('aws s3 sync');
    expect(next('unsupported-version', 'Install the Holdfast version that wrote this vault, or a newer one. Nothing was written.')).toContain('newest script in the folder kit/');
  });

  it('keeps code, data and cause', () => {
    const cause = new Error('below');
    expect(reword(new HoldfastError('damaged', 'see `holdfast ls 01` now', { data: { name: 'x' }, cause }))).toMatchObject({ code: 'damaged', message: 'see `node kit.mjs ls 01` now', data: { name: 'x' }, cause });
  });
});
