import { lstatSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesInWords, counted, durationInWords, ratioInWords } from '../lib/cli/words.ts';
import { compareTrees } from '../lib/recovery/compare-trees.ts';
import { display, fsPath, fromText } from '../lib/model/byte-string.ts';
import type { ByteString } from '../lib/model/byte-string.ts';
import { holdfast, results } from './demo/commands.ts';
import { inspect, startWriting } from './demo/database.ts';

interface BackupJson { readonly backup: string; readonly statistics: { readonly files: number; readonly bytes: number; readonly storedBytes: number; readonly readBytes: number } }

// `npm start [-- PATH] [--keep]`: the main job as somebody meets it for the first time, with the real program.
const options = process.argv.slice(2);
const isKept = options.includes('--keep');
const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const source = realpathSync(resolve(process.env['INIT_CWD'] ?? process.cwd(), options.find((option) => !option.startsWith('--')) ?? checkout));
const demo = placeOutside(source);
const notes = join(demo, 'holdfast-demo-notes');
const database = join(demo, 'orders.db');
const restored = join(demo, 'restored');
process.env['XDG_STATE_HOME'] = join(demo, 'state');
process.exitCode = 1;

const startedAt = Date.now();
say(`Everything of this demonstration lies in ${demo}; ${source} is only read.`);
mkdirSync(notes);
writeFileSync(join(notes, 'todo.txt'), 'water the plants\n'.repeat(1000));
const writer = await startWriting(database);
try {
  await tell();
  process.exitCode = 0;
} finally {
  await writer.stop();
  if (isKept || process.exitCode !== 0) say(`\nEverything is still in ${demo}; remove it when you have seen enough.`);
  else rmSync(demo, { recursive: true, force: true });
}

async function tell(): Promise<void> {
  say('\n1. A vault in a directory, its key in a file, and a plan for each thing to protect.');
  writeFileSync(join(demo, 'holdfast.yaml'), plans());
  await holdfast(['init', '--no-yaml'], demo);
  say(`\n2. A first backup: ${source}, and a SQLite database that another process writes to all the while.`);
  const first = await holdfast(['backup'], demo);
  say('\n3. Something changes: one file edited, one added, and the database has grown.');
  writeFileSync(join(notes, 'todo.txt'), 'call the dentist\n', { flag: 'a' });
  writeFileSync(join(notes, 'idea.txt'), 'back up everything\n');
  const second = await holdfast(['backup'], demo);
  await holdfast(['list'], demo);
  say('\n4. Every byte is read back from the vault and proved.');
  const verified = await holdfast(['verify', '--level', 'full'], demo);
  say('\n5. Restored to another place, and compared byte by byte with the source.');
  const files = await holdfast(['restore', 'latest:files', '--to', join(restored, 'files')], demo);
  await holdfast(['restore', 'latest:database', '--to', join(restored, 'database')], demo);
  const compared = [source, notes].map((path) => compareWithSource(path, join(restored, 'files', basename(path))));
  const copy = inspect(join(restored, 'database', 'orders.db'));
  const differences = compared.flatMap((one) => one.differences);
  const isWhole = differences.length === 0 && copy.integrity === 'ok' && copy.isGapless;
  for (const difference of differences.slice(0, 20)) say(`  DIFFERENT: ${difference}`);
  await figures({ first: first.seconds, second: second.seconds, verify: verified.seconds, restore: files.seconds, files: sum(compared, 'files'), bytes: sum(compared, 'bytes'), changedSince: sum(compared, 'changedSince'), rows: copy.rows, integrity: copy.integrity, isWhole });
  if (!isWhole) throw new Error('what was restored differs from the source');
  say(ownData());
}

interface Figures { first: number; second: number; verify: number; restore: number; files: number; bytes: number; changedSince: number; rows: number; integrity: string; isWhole: boolean }

async function figures(seen: Figures): Promise<void> {
  const backups = await results<BackupJson>(['list', '--plan', 'files'], demo);
  const [stats] = await results<{ storedBytes: number }>(['stats'], demo);
  const [newest, oldest] = [backups[0]?.statistics, backups.at(-1)?.statistics];
  if (!newest || !oldest || !stats) throw new Error('the list of backups is empty');
  const seconds = (value: number) => durationInWords(value * 1000);
  const rows: readonly (readonly [string, string])[] = [
    ['protected', `${counted(newest.files, 'file')}, ${bytesInWords(newest.bytes)}; a database of ${counted(seen.rows, 'row')}`],
    ['stored', `${bytesInWords(oldest.storedBytes)} by the first backup of the files (${ratioInWords(oldest.bytes, oldest.storedBytes)}), ${bytesInWords(newest.storedBytes)} by the second`],
    ['vault', `${bytesInWords(stats.storedBytes)} in all, encrypted`],
    ['time', `first backup ${seconds(seen.first)}, second ${seconds(seen.second)}, verify ${seconds(seen.verify)}, restore ${seconds(seen.restore)}; ${seconds((Date.now() - startedAt) / 1000)} in all`],
    ['verified', 'every byte of every backup'],
    ['restored', `${counted(seen.files, 'file')}, ${bytesInWords(seen.bytes)} compared with the source byte by byte: ${seen.isWhole ? 'all equal' : 'NOT all equal'}${seen.changedSince > 0 ? ` (${seen.changedSince} changed in the source meanwhile)` : ''}; database: integrity_check ${seen.integrity}`],
  ];
  say(`\n${rows.map(([name, value]) => `${name.padEnd(11)}${value}`).join('\n')}`);
}

interface Compared { readonly files: number; readonly bytes: number; readonly changedSince: number; readonly differences: readonly string[] }

/** What differs because somebody changed the source meanwhile is told apart; sockets are never restored. */
function compareWithSource(path: string, copy: string): Compared {
  const { files, bytes, differences } = compareTrees(path, copy);
  const isOwnDoing = (below: ByteString) => {
    const stats = lstatSync(fsPath(`${fromText(path)}/${below}` as ByteString), { throwIfNoEntry: false });
    return !stats || stats.isSocket() || stats.ctimeMs >= startedAt - 10;
  };
  const unexplained = differences.filter((difference) => !isOwnDoing(difference.path));
  return { files, bytes, changedSince: differences.length - unexplained.length, differences: unexplained.map(({ path: below, what }) => `${display(below) || path}: ${what}`) };
}

function sum(compared: readonly Compared[], figure: 'files' | 'bytes' | 'changedSince'): number {
  return compared.reduce((total, one) => total + one[figure], 0);
}

function plans(): string {
  return `vaults:
  main: { directory: vault, key-file: key }
plans:
  files:
    source: { type: files, paths: ${JSON.stringify([source, notes])} }
  database:
    source: { type: sqlite, path: orders.db }
`;
}

function ownData(): string {
  const program = relative(process.cwd(), fileURLToPath(new URL('../dist/holdfast.mjs', import.meta.url)));
  return `\nThe same with your own data:\n  node ${program} backup ~/Documents\n  node ${program} list\n  node ${program} restore latest --to /tmp/restored`;
}

/** A vault inside of what is backed up would be a poor first lesson. */
function placeOutside(path: string): string {
  const isInside = (folder: string) => path === '/' || realpathSync(folder) === path || realpathSync(folder).startsWith(`${path}/`);
  if (!statSync(path).isDirectory()) throw new Error(`${path} is not a directory`);
  const parent = [tmpdir(), '/var/tmp', dirname(path)].find((folder) => !isInside(folder));
  if (parent === undefined) throw new Error(`every place for temporary files lies inside of ${path}: name a smaller directory`);
  return mkdtempSync(join(parent, 'holdfast-demo-'));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
