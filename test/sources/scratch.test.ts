import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeScratch, sweepScratch } from '../../lib/sources/scratch.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('a scratch folder that cannot be used', () => {
  it.each([
    ['made', (folder: string) => makeScratch(folder)],
    ['swept', (folder: string) => sweepScratch(folder, 0)],
  ])('is named when it is %s, with what to do', async (_what, use) => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    await expect(use(file)).rejects.toMatchObject({ name: 'HoldfastError', code: 'permission', message: expect.stringContaining(`below ${file} (`), nextStep: expect.stringContaining('write there') });
  });
});
