import { readManifest, readVerdicts, standingVerdict } from '../../repository/index.ts';
import type { Manifest, Verdict } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import { isoTime } from '../entry-words.ts';
import type { ExitCode } from '../exit-codes.ts';
import { pairLines } from '../table.ts';
import { partLines } from '../part-words.ts';
import { findWanted } from '../wanted-backup.ts';
import { bytesInWords, counted, durationInWords, numberInWords, timeInWords, warningInWords } from '../words.ts';

const SHOWN_WARNINGS = 100;
const SHOWN_TABLES = 20;

export async function run(context: CommandContext, [id]: CommandArguments): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { name, notes } = await findWanted(context, vault, textOf(id));
    const { manifest, sha256 } = await readManifest(vault.repository, name);
    const verdicts = await readVerdicts(vault.repository, manifest.backup);
    const standing = standingVerdict(verdicts);
    context.output.result({ ...jsonOf(manifest, vault.directory, sha256), verdict: standing === undefined ? null : verdictJson(standing), verdicts: verdicts.verdicts.map(verdictJson), notes }, () => linesOf(context, manifest, standing));
    return 0;
  });
}

/** The tree's own index is of no use outside and can be megabytes long. */
function jsonOf({ tree, source, type: kind, parts, ...rest }: Manifest, vault: string, manifestSha256: string): object {
  const { base, delta } = tree;
  return { type: 'backup', kind, ...rest, checkedAt: isoTime(rest.checkedAt), vault, source: sourceJson(source), ...(parts && { parts: parts.map((part) => ({ ...part, source: sourceJson(part.source) })) }), manifestSha256, tree: { base: { records: base.records, bytes: base.bytes }, delta: delta && { records: delta.records, bytes: delta.bytes } } };
}

function sourceJson(source: Manifest['source']): Manifest['source'] {
  return { ...source, paths: source.paths.map((path) => Buffer.from(path, 'base64').toString('utf8')) };
}

function verdictJson(verdict: Verdict): object {
  return { ...verdict, at: isoTime(verdict.at) };
}

function linesOf({ output }: CommandContext, manifest: Manifest, standing: Verdict | undefined): string[] {
  const { statistics, warnings } = manifest;
  const { files, newFiles, changedFiles, unchangedFiles, removedEntries } = statistics;
  return [
    ...pairLines([
      ['backup', manifest.backup],
      ['plan', `${manifest.planName} (${manifest.plan})`],
      ['source', `${manifest.source.type}: ${manifest.source.description}`],
      ['host', manifest.host],
      ['type', `${manifest.sequence === 1 && manifest.type === 'incremental' ? 'first' : manifest.type}, number ${manifest.sequence} of its plan`],
      ['started', timeInWords(Date.parse(manifest.startedAt))],
      ['finished', `${timeInWords(Date.parse(manifest.finishedAt))}, after ${durationInWords(statistics.durationMilliseconds)}`],
      ['entries', `${numberInWords(statistics.entries)}: ${counted(files, 'file')}, ${counted(statistics.directories, 'directory', 'directories')}`],
      ['files', `${newFiles} new, ${changedFiles} changed, ${unchangedFiles} unchanged, ${counted(removedEntries, 'entry', 'entries')} removed`],
      ['size', bytesInWords(statistics.bytes)],
      ['read', bytesInWords(statistics.readBytes)],
      ['added', `${bytesInWords(statistics.storedBytes)} stored for ${bytesInWords(statistics.newBytes)} of new data`],
      ['verified', verdictInWords(standing)],
      ['warnings', String(warnings.length)],
    ]),
    ...partLines(manifest),
    ...evidenceLines(manifest),
    ...warnings.slice(0, SHOWN_WARNINGS).map((warning) => `  ${output.paint('yellow', warning.code)} ${warningInWords(warning)}`),
    ...(warnings.length > SHOWN_WARNINGS ? [`  and ${numberInWords(warnings.length - SHOWN_WARNINGS)} more: --json has all`] : []),
    ...(standing?.damaged ?? []).map(({ name, problem }) => `  ${output.paint('red', 'damaged')} ${name}: ${problem}`),
  ];
}

/** Rows as they were counted while the backup was made. */
function evidenceLines({ evidence = [] }: Manifest): string[] {
  return evidence.flatMap(({ entry, facts, tables = [] }) => [
    `  ${entry}: ${facts.join(', ')}`,
    ...tables.slice(0, SHOWN_TABLES).map(({ schema, table, rows, isEstimate }) => `    ${schema}.${table}  ${isEstimate ? 'about ' : ''}${counted(rows, 'row')}`),
    ...(tables.length > SHOWN_TABLES ? [`    and ${numberInWords(tables.length - SHOWN_TABLES)} more tables: --json has all`] : []),
  ]);
}

function verdictInWords(standing: Verdict | undefined): string {
  if (standing === undefined || (standing.level === 'commit' && standing.result === 'good')) return 'not yet';
  return `${standing.result} at level ${standing.level}, ${timeInWords(standing.at)}`;
}
