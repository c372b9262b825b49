import { existsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromText } from '../../lib/model/byte-string.ts';
import type { ByteString } from '../../lib/model/byte-string.ts';
import { makeMissingFolders } from '../../lib/model/make-missing-folders.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

describe('making a directory and those above it', () => {
  it('makes what is missing with the mode that is wanted, and is callable twice', () => {
    const path = join(temporaryFolder(), 'a', 'b', 'c');
    for (const text of [path, path, `${path}/d/`]) makeMissingFolders(fromText(text), 0o700);
    expect([existsSync(`${path}/d`), statSync(path).mode & 0o777]).toEqual([true, 0o700]);
  });

  it('takes names that are no UTF-8', () => {
    const path = `${fromText(temporaryFolder())}/\xff/\xfe` as ByteString;
    makeMissingFolders(path);
    expect(existsSync(Buffer.from(path, 'latin1'))).toBe(true);
  });

  it.each<[string, (folder: string) => string, string]>([
    ['below /proc, where nothing can be made, and Node itself never comes back', () => '/proc/nothing/here', 'ENOENT'],
    ['below a file', (folder) => `${folder}/file/x`, 'EEXIST'],
    ['where a file is', (folder) => `${folder}/file`, 'EEXIST'],
    ['where a link to nowhere is', (folder) => `${folder}/link`, 'EEXIST'],
  ])('%s it throws at once', (_what, at, code) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('nowhere', join(folder, 'link'));
    expect(() => makeMissingFolders(fromText(at(folder)))).toThrow(expect.objectContaining({ code }));
  });
});
