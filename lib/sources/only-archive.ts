import { display } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import type { BackupContent, ContentFile } from './database-loader.ts';

export interface ArchiveWish {
  /** Path in the backup that somebody named. */
  readonly entry?: string | undefined;
  /** How names of such archives end: `.dump`. */
  readonly suffix: string;
  /** For people: `an archive of pg_dump`. */
  readonly what: string;
}

/** The file that was named, or the only archive of the backup. Fails as `not-found` and `usage`. */
export async function onlyArchive(content: BackupContent, { entry, suffix, what }: ArchiveWish): Promise<ContentFile> {
  const { backup } = content;
  const found: ContentFile[] = [];
  for await (const file of content.files(entry ?? '')) {
    if (entry === undefined ? display(file.path).endsWith(suffix) : display(file.path) === entry) found.push(file);
    if (found.length > 1) break;
  }
  const [file, second] = found;
  if (file !== undefined && second === undefined) return file;
  if (file === undefined) throw new HoldfastError('not-found', `The backup ${backup} has no ${entry === undefined ? `entry that ends in ${suffix}` : `file ${entry}`}, wanted ${what}.`, { nextStep: `\`holdfast ls ${backup} --recursive\` shows what it has.` });
  throw new HoldfastError('usage', `The backup ${backup} has more than one archive (${found.map(({ path }) => display(path)).join(', ')}), wanted one name.`, { nextStep: 'Name the one to restore: `holdfast restore ID NAME --to-database …`.' });
}
