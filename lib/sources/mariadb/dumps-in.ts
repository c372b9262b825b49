import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile } from '../database-loader.ts';

const SUFFIX = '.sql';

/** The dump that was named, or all of the backup. Fails as `not-found`. */
export async function dumpsIn(content: BackupContent, entry: string | undefined): Promise<ContentFile[]> {
  const found: ContentFile[] = [];
  for await (const file of content.files(entry ?? '')) {
    if (entry === undefined ? display(file.path).endsWith(SUFFIX) : display(file.path) === entry) found.push(file);
  }
  if (found.length > 0) return found;
  throw new HoldfastError('not-found', `The backup ${content.backup} has no ${entry === undefined ? `entry that ends in ${SUFFIX}` : `file ${entry}`}, wanted a dump of mariadb-dump or mysqldump.`, { nextStep: `\`holdfast ls ${content.backup} --recursive\` shows what it has.` });
}

/** Fails as `usage` when there are several. */
export function onlyOne(files: readonly ContentFile[], backup: string): ContentFile {
  const [file, second] = files;
  if (file !== undefined && second === undefined) return file;
  throw new HoldfastError('usage', `The backup ${backup} has more than one dump (${files.slice(0, 5).map(({ path }) => display(path)).join(', ')}${files.length > 5 ? ', …' : ''}), wanted one name.`, { nextStep: 'Name the one to restore: `holdfast restore ID NAME --to-database …`; or leave the name of the database away: then each is restored under the name that it had.' });
}
