import { display, fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { ENTRY, isSnapshotFile } from '../../repository/index.ts';
import type { SnapshotEntry } from '../../repository/index.ts';
import { contentDigest } from '../../recovery/content-digest.ts';
import { directChildren } from '../../recovery/direct-children.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import { TYPE_NAMES, hexOf, isoTime, modifiedAt } from '../entry-words.ts';
import type { ExitCode } from '../exit-codes.ts';
import { openWanted } from '../wanted-backup.ts';
import { bytesInWords, timeInWords } from '../words.ts';

const TYPE_LETTERS: Readonly<Record<number, string>> = { [ENTRY.file]: '-', [ENTRY.stream]: '-', [ENTRY.directory]: 'd', [ENTRY.symlink]: 'l', [ENTRY.fifo]: 'p', [ENTRY.socket]: 's', [ENTRY.characterDevice]: 'c', [ENTRY.blockDevice]: 'b' };

/** Reads tree chunks only, and of those only the ones that can hold what is listed. */
export async function run(context: CommandContext, [id, path]: CommandArguments): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { reader, notes } = await openWanted(context, vault, textOf(id));
    if (context.output.isJson) for (const note of notes) context.output.result({ type: 'note', message: note }, () => []);
    const folder = pathInBackup(textOf(path));
    const isRecursive = context.options['recursive'] === true;
    let count = 0;
    for await (const entry of isRecursive ? reader.entries(folder) : directChildren(reader, folder)) {
      if (entry.path === folder && entry.type === ENTRY.directory) {
        count++;
        continue;
      }
      show(context, entry, isRecursive ? entry.path : (entry.path.slice(entry.path.lastIndexOf('/') + 1) as ByteString));
      count++;
    }
    if (count === 0 && folder !== '') throw new HoldfastError('not-found', `${display(folder)} is not in the backup ${reader.manifest.backup}.`, { nextStep: `Paths start at the top of the backup: \`holdfast ls ${reader.manifest.backup}\` shows it.` });
    return 0;
  });
}

/** Without slashes around and dots inside. */
export function pathInBackup(text: string): ByteString {
  return fromText(text.split('/').filter((component) => component !== '' && component !== '.').join('/'));
}

function show({ output }: CommandContext, entry: SnapshotEntry, name: ByteString): void {
  const size = isSnapshotFile(entry) ? entry.size : 0;
  const modified = modifiedAt(entry);
  const json = () => ({ type: 'entry', path: display(entry.path), pathBase64: Buffer.from(entry.path, 'latin1').toString('base64'), kind: TYPE_NAMES[entry.type], size, mode: entry.mode.toString(8).padStart(4, '0'), uid: entry.uid, gid: entry.gid, modifiedAt: isoTime(modified), ...(entry.type === ENTRY.symlink && { target: display(entry.target) }), ...(isSnapshotFile(entry) && { sha256: hexOf(contentDigest(entry)) }) });
  output.result(output.isJson ? json() : {}, () => {
    const link = entry.type === ENTRY.symlink ? ` -> ${display(entry.target)}` : '';
    const isFolder = entry.type === ENTRY.directory;
    return `${TYPE_LETTERS[entry.type] ?? '?'}${permissions(entry.mode)}  ${(isSnapshotFile(entry) ? bytesInWords(size) : '-').padStart(9)}  ${timeInWords(modified)}  ${isFolder ? output.paint('bold', `${display(name)}/`) : display(name)}${link}`;
  });
}

function permissions(mode: number): string {
  const bits = ['r', 'w', 'x', 'r', 'w', 'x', 'r', 'w', 'x'].map((letter, index) => (mode & (0o400 >> index) ? letter : '-'));
  for (const [bit, position, letter] of [[0o4000, 2, 's'], [0o2000, 5, 's'], [0o1000, 8, 't']] as const) {
    if (mode & bit) bits[position] = bits[position] === 'x' ? letter : letter.toUpperCase();
  }
  return bits.join('');
}
