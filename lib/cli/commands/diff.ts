import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { shellQuote } from '../../keyring/shell-quote.ts';
import { display, fromText, toBytes } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import { FILE_TYPE } from '../../recovery/diff/compared-entry.ts';
import type { ComparedEntry } from '../../recovery/diff/compared-entry.ts';
import { diffBackups, diffFolder } from '../../recovery/diff/diff-backup.ts';
import type { EntryDifference } from '../../recovery/diff/diff-backup.ts';
import type { SnapshotReader } from '../../repository/index.ts';
import type { TreeDamage } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import { hexOf, isoTime } from '../entry-words.ts';
import type { ExitCode } from '../exit-codes.ts';
import { worstOf } from '../exit-codes.ts';
import { Progress } from '../progress.ts';
import { bytesInWords, counted } from '../words.ts';
import { openWanted } from '../wanted-backup.ts';

const WORDS = { added: ['green', 'added'], removed: ['red', 'removed'], changed: ['yellow', 'changed'] } as const;

export async function run(context: CommandContext, [first, second]: CommandArguments): Promise<ExitCode> {
  const folder = folderOf(context, textOf(second));
  return withVault(context, async (vault) => {
    const { reader: before, notes } = await openWanted(context, vault, textOf(first));
    const other = folder === undefined ? await openWanted(context, vault, textOf(second)) : undefined;
    const after = other?.reader;
    const tally = new Tally();
    const progress = new Progress(context.surroundings, context.options['progress'] === true);
    try {
      for await (const difference of differences(context, { before, after, folder }, tally, progress)) {
        tally.add(difference);
        if (context.options['stat'] === true) continue;
        progress.clear();
        show(context, difference);
      }
    } finally {
      progress.clear();
    }
    tell(context, tally, { before: before.manifest.backup, after: after?.manifest.backup ?? null, folder: folder ?? null, notes: [...notes, ...(other?.notes ?? [])] });
    if (folder !== undefined && !context.output.isJson) for (const line of exclusionLines(before, tally)) context.output.note(line);
    return worstOf([tally.damaged > 0 ? 12 : 0, tally.unreadable > 0 || (tally.isDifferent && context.options['exitCode'] === true) ? 3 : 0]);
  });
}

/** Undefined: two backups are compared. */
function folderOf({ options, surroundings }: CommandContext, second: string): string | undefined {
  const given = options['with'] as string | undefined;
  if ((given === undefined) === (second === '')) throw new HoldfastError('usage', `${second === '' ? 'Nothing to compare with was given' : 'A second backup and --with were given'}, wanted one of them.`, { nextStep: 'For example `holdfast diff 01KAP latest`, or `holdfast diff latest --with ~/documents`.' });
  if (given === undefined) {
    if (options['content'] === true) throw new HoldfastError('usage', '--content means nothing between two backups: their contents are compared anyway, by digest.');
    return undefined;
  }
  const folder = resolve(surroundings.workingFolder, given);
  if (given !== '' && statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return folder;
  throw new HoldfastError(given === '' ? 'usage' : 'not-found', given === '' ? '--with is empty, wanted a directory.' : `${folder} is no directory.`, { nextStep: 'Check --with.' });
}

function differences({ options, surroundings, output }: CommandContext, sides: { before: SnapshotReader; after: SnapshotReader | undefined; folder: string | undefined }, tally: Tally, progress: Progress): AsyncGenerator<EntryDifference> {
  const { before, after, folder } = sides;
  const { entries: totalEntries, bytes: totalBytes } = before.manifest.statistics;
  const startedAt = surroundings.clock.now();
  const common = {
    signal: surroundings.signal,
    onDamage: ({ from, to, error }: TreeDamage) => {
      tally.damaged++;
      output.warn(`nothing is said about what lies from ${display(from) || 'the top'} to ${to === undefined ? 'the end' : display(to)}: ${error.message}`);
    },
    onProgress: (entries: number, bytes: number) => {
      if (options['content'] === true) return progress.show({ phase: 'comparing', bytes, totalBytes });
      const elapsed = (surroundings.clock.now() - startedAt) / 1000;
      progress.show({ phase: `comparing entry ${entries} of about ${totalEntries}`, etaSeconds: entries === 0 ? undefined : Math.max(0, (elapsed / entries) * (totalEntries - entries)) });
    },
  };
  if (after) return diffBackups(before, after, common);
  return diffFolder(before, fromText(folder ?? ''), {
    ...common, readsContent: options['content'] === true,
    onUnreadable: (path: ByteString, reason: string) => {
      tally.unreadable++;
      output.warn(`${display(path) || 'the directory'} cannot be read: ${reason}`);
    },
    onLeftOut: () => void tally.leftOut++,
  });
}

class Tally {
  readonly counts = { added: 0, removed: 0, changed: 0 };
  readonly bytes = { added: 0, removed: 0, changed: 0 };
  /** Of what changed: how many in which way. */
  readonly aspects: Record<string, number> = {};
  damaged = 0;
  unreadable = 0;
  /** What stands in the directory and the backup was told to leave out, not counting what is below. */
  leftOut = 0;

  add({ change, aspects, before, after }: EntryDifference): void {
    this.counts[change]++;
    this.bytes[change] += change === 'changed' ? (after?.size ?? 0) - (before?.size ?? 0) : (after ?? before)?.size ?? 0;
    for (const aspect of aspects) this.aspects[aspect] = (this.aspects[aspect] ?? 0) + 1;
  }

  get isDifferent(): boolean {
    return Object.values(this.counts).some((count) => count > 0);
  }
}

function show({ output }: CommandContext, { path, change, aspects, before, after }: EntryDifference): void {
  const name = { path: display(path), pathBase64: toBytes(path).toString('base64') };
  const [colour, word] = WORDS[change];
  const json = () => ({ type: 'difference', change, ...name, aspects, before: sideJson(before), after: sideJson(after) });
  output.result(output.isJson ? json() : {}, () => `${output.paint(colour, word.padEnd(7))}  ${sizes(before, after).padStart(20)}  ${name.path || '.'}${aspects.length === 0 ? '' : `  (${aspects.join(', ')})`}`);
}

function sizes(before: ComparedEntry | undefined, after: ComparedEntry | undefined): string {
  const [old, now] = [before, after].map((side) => (side === undefined ? undefined : side.type === FILE_TYPE ? bytesInWords(side.size) : '-'));
  return old !== undefined && now !== undefined && before?.size !== after?.size ? `${old} -> ${now}` : (now ?? old ?? '');
}

function sideJson(side: ComparedEntry | undefined): object | null {
  if (side === undefined) return null;
  const { type, size, mode, uid, gid, mtimeNanoseconds, digest, target, device } = side;
  return { kind: KINDS[type] ?? 'unknown', size, mode: mode.toString(8).padStart(4, '0'), uid, gid, modifiedAt: isoTime(Number(mtimeNanoseconds / 1_000_000n)), sha256: hexOf(digest), ...(target !== undefined && { target: display(target) }), ...(device && { device: `${device.major}:${device.minor}` }) };
}

const KINDS: Readonly<Record<number, string>> = { 0o100000: 'file', 0o040000: 'directory', 0o120000: 'symlink', 0o010000: 'fifo', 0o140000: 'socket', 0o020000: 'characterDevice', 0o060000: 'blockDevice' };

/** A directory has more in it than a backup was to keep. */
function exclusionLines({ manifest: { backup, source } }: SnapshotReader, { leftOut }: Tally): string[] {
  if (source.selection === undefined) return source.type === 'files' ? [`${backup} does not record what it was told to leave out: such entries seem to be added.`] : [];
  if (leftOut === 0) return [];
  const { include, exclude } = source.selection;
  const patterns = [...exclude.map((pattern) => `--exclude ${shellQuote(pattern)}`), ...include.map((pattern) => `--include ${shellQuote(pattern)}`)].join(' ');
  return [`Not compared, as the backup left it out: ${counted(leftOut, 'entry', 'entries')} and all below (${patterns}).`];
}

function tell({ output }: CommandContext, tally: Tally, sides: { readonly before: string; readonly after: string | null; readonly folder: string | null; readonly notes: readonly string[] }): void {
  const { counts, bytes, aspects, damaged, unreadable, leftOut, isDifferent } = tally;
  const other = sides.after ?? sides.folder ?? '';
  const partly = damaged + unreadable > 0 ? ', as far as they could be read' : '';
  output.result({ type: 'diff', ...sides, isDifferent, ...counts, bytes, aspects, damaged, unreadable, leftOut }, () => {
    if (!isDifferent) return `${sides.before} and ${other} are the same${partly}.`;
    const ways = Object.entries(aspects).map(([aspect, count]) => `${aspect} ${count}`).join(', ');
    const grown = `${bytes.changed < 0 ? '-' : '+'}${bytesInWords(Math.abs(bytes.changed))}`;
    return `From ${sides.before} to ${other}: ${counted(counts.added, 'entry', 'entries')} added (${bytesInWords(bytes.added)}), ${counts.removed} removed (${bytesInWords(bytes.removed)}), ${counts.changed} changed (${grown}${ways === '' ? '' : `; ${ways}`})${partly}.`;
  });
}
