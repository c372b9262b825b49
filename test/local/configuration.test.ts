import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findConfig } from '../../lib/local/configuration.ts';
import type { Environment } from '../../lib/local/places.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const TEXT = 'vaults:\n  main: { directory: /v, key-file: /k }\n';

function environment(): Environment {
  const folder = temporaryFolder();
  return { variables: {}, home: folder, workingFolder: folder, temporaryFolder: folder };
}

describe('the configuration that counts (P1)', () => {
  it('is the one in the working folder, when none is named', async () => {
    const here = environment();
    expect(await findConfig(here, undefined)).toBeUndefined();
    writeFileSync(join(here.workingFolder, 'holdfast.yaml'), TEXT);
    expect((await findConfig(here, undefined))?.file).toBe(join(here.workingFolder, 'holdfast.yaml'));
  });

  it.each([
    ['a file that never ends', '/dev/zero', 'config-invalid', '/dev/zero is longer than 256 KiB, wanted a holdfast.yaml of at most that.'],
    ['a folder', '/dev', 'config-invalid', 'The configuration /dev cannot be read (EISDIR).'],
    ['nothing', '/none/such', 'config-invalid', 'The configuration /none/such cannot be read (ENOENT).'],
  ])('is refused where it is %s, without being read whole', async (_, path, code, message) => {
    await expect(findConfig(environment(), path)).rejects.toMatchObject({ code, message, nextStep: expect.stringContaining('--config') });
  });

  it('is read to its last byte where it is as long as it may be, and not where it is longer', async () => {
    const here = environment();
    const path = join(here.workingFolder, 'long.yaml');
    writeFileSync(path, TEXT.padEnd(256 << 10, '#\n'));
    expect((await findConfig(here, path))?.file).toBe(path);
    writeFileSync(path, TEXT.padEnd((256 << 10) + 1, '#\n'));
    await expect(findConfig(here, path)).rejects.toMatchObject({ code: 'config-invalid', data: { file: path, maxBytes: 256 << 10 } });
  });
});
