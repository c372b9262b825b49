import { readManifest, readVerdicts, standingVerdict } from '../../repository/index.ts';
import type { Manifest, Verdict } from '../../repository/index.ts';
import type { CommandArguments, CommandContext } from '../command.ts';
import { textOf, withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { pairLines } from '../table.ts';
import { bytesInWords, durationInWords, numberInWords, timeInWords } from '../words.ts';

export async function run(context: CommandContext, [id]: CommandArguments): Promise<ExitCode> {
  return withVault(context, async (vault) => {
    const { name } = await context.runtime.findBackup(vault, textOf(id));
    const { manifest, sha256 } = await readManifest(vault.repository, name);
    const verdicts = await readVerdicts(vault.repository, manifest.backup);
    const standing = standingVerdict(verdicts);
    context.output.result({ ...jsonOf(manifest, vault.directory, sha256), verdict: standing ?? null, verdicts: verdicts.verdicts }, () => linesOf(context, manifest, standing));
    return 0;
  });
}

/** The tree's own index is of no use outside and can be megabytes long. */
function jsonOf({ tree, source, type: backupType, ...rest }: Manifest, vault: string, manifestSha256: string): object {
  const { base, delta } = tree;
  const paths = source.paths.map((path) => Buffer.from(path, 'base64').toString('utf8'));
  return { type: 'backup', backupType, ...rest, vault, source: { ...source, paths }, manifestSha256, tree: { base: { records: base.records, bytes: base.bytes }, delta: delta && { records: delta.records, bytes: delta.bytes } } };
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
      ['type', `${manifest.type}, number ${manifest.sequence} of its plan`],
      ['started', timeInWords(Date.parse(manifest.startedAt))],
      ['finished', `${timeInWords(Date.parse(manifest.finishedAt))}, after ${durationInWords(statistics.durationMilliseconds)}`],
      ['entries', `${numberInWords(statistics.entries)}: ${numberInWords(files)} files, ${numberInWords(statistics.directories)} directories`],
      ['files', `${newFiles} new, ${changedFiles} changed, ${unchangedFiles} unchanged, ${removedEntries} entries removed`],
      ['size', bytesInWords(statistics.bytes)],
      ['read', bytesInWords(statistics.readBytes)],
      ['added', `${bytesInWords(statistics.storedBytes)} stored for ${bytesInWords(statistics.newBytes)} of new data`],
      ['verified', verdictInWords(standing)],
      ['warnings', String(warnings.length)],
    ]),
    ...warnings.map(({ code, message }) => `  ${output.paint('yellow', code)} ${message}`),
    ...(standing?.damaged ?? []).map(({ name, problem }) => `  ${output.paint('red', 'damaged')} ${name}: ${problem}`),
  ];
}

function verdictInWords(standing: Verdict | undefined): string {
  if (standing === undefined || (standing.level === 'commit' && standing.result === 'good')) return 'not yet';
  return `${standing.result} at level ${standing.level}, ${timeInWords(standing.at)}`;
}
