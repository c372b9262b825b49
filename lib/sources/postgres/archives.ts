import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile } from '../database-loader.ts';

/** What pg_dump made, as it lies in a backup. */
export interface BackedUpArchive {
  /** For people: `app.dump`, `app/`. */
  readonly name: string;
  readonly format: 'custom' | 'directory';
  /** One, or those of the folder. */
  readonly files: readonly ContentFile[];
  readonly bytes: number;
  /** Entry with which its evidence is kept. */
  readonly proved: string;
}

const CONTENTS = '/toc.dat';

/** The one that was named, or all of the backup in the order of their names. Fails as `not-found` when there is none. */
export async function archivesIn(content: BackupContent, entry: string | undefined): Promise<BackedUpArchive[]> {
  const wanted = entry?.replace(/\/+$/, '') ?? '';
  const singles: ContentFile[] = [];
  const folders: string[] = [];
  for await (const file of content.files(wanted)) {
    const path = display(file.path);
    if (path.endsWith(CONTENTS) && (wanted === '' || path === `${wanted}${CONTENTS}`)) folders.push(path.slice(0, -CONTENTS.length));
    else if (wanted === '' ? path.endsWith('.dump') : path === wanted) singles.push(file);
  }
  const archives = singles.map((file): BackedUpArchive => ({ name: display(file.path), format: 'custom', files: [file], bytes: file.bytes, proved: display(file.path) }));
  for (const folder of folders) archives.push(await directoryArchive(content, folder));
  if (archives.length > 0) return archives.sort((left, right) => (left.name < right.name ? -1 : 1));
  const { backup } = content;
  throw new HoldfastError('not-found', `The backup ${backup} has no ${entry === undefined ? 'entry that ends in .dump' : `file ${entry}`}, wanted an archive of pg_dump.`, { nextStep: `\`holdfast ls ${backup} --recursive\` shows what it has.` });
}

/** For one database. Fails as `usage` when the backup has several and none was named. */
export async function onlyArchiveIn(content: BackupContent, entry: string | undefined): Promise<BackedUpArchive> {
  const [first, ...others] = await archivesIn(content, entry);
  if (first !== undefined && others.length === 0) return first;
  const names = [first, ...others].map((archive) => archive?.name ?? '');
  throw new HoldfastError('usage', `The backup ${content.backup} has ${names.length} archives (${names.slice(0, 10).join(', ')}${names.length > 10 ? ', …' : ''}), wanted one name.`, { nextStep: 'Name the one to restore: `holdfast restore ID NAME --to-database …`; or all of them: a URL without a database, `postgres://USER@HOST:PORT/`.' });
}

async function directoryArchive(content: BackupContent, folder: string): Promise<BackedUpArchive> {
  const files: ContentFile[] = [];
  for await (const file of content.files(folder)) files.push(file);
  return { name: `${folder}/`, format: 'directory', files, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0), proved: `${folder}${CONTENTS}` };
}
