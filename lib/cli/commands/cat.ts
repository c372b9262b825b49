import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { FLAG, isSnapshotFile } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { openWanted } from '../wanted-backup.ts';
import { pathInBackup } from './ls.ts';

/** Every chunk is proved against its id before it is written. */
export async function run(context: CommandContext, [id, path]: CommandArguments): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { reader, notes } = await openWanted(context, vault, textOf(id));
    // The result is the content itself, so there is no place for this in it.
    if (context.output.isJson) for (const note of notes) context.output.note(JSON.stringify({ type: 'note', message: note }));
    const wanted = pathInBackup(textOf(path));
    for await (const entry of reader.entries(wanted)) {
      if (entry.path !== wanted) break;
      if (!isSnapshotFile(entry)) throw new HoldfastError('usage', `${display(wanted)} is not a file.`, { nextStep: `\`holdfast ls ${reader.manifest.backup} ${display(wanted)}\` shows what it is.` });
      if (entry.flags & FLAG.unreadable) throw new HoldfastError('not-found', `${display(wanted)} could not be read when the backup was made: its content is not there.`, { nextStep: `\`holdfast show ${reader.manifest.backup}\` says why.` });
      for await (const bytes of context.runtime.content(reader, entry)) {
        context.surroundings.signal.throwIfAborted();
        await context.output.raw(bytes);
      }
      return 0;
    }
    throw new HoldfastError('not-found', `${display(wanted) || 'The root'} is no file in the backup ${reader.manifest.backup}.`, { nextStep: `Paths start at the top of the backup: \`holdfast ls ${reader.manifest.backup}\` shows it.` });
  });
}
