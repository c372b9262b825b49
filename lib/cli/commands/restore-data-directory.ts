import { dirname, join } from 'node:path';
import { shellQuote } from '../../keyring/shell-quote.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { DataDirectoryPlan } from '../../recovery/data-directory/plan.ts';
import type { DataDirectoryReport } from '../../recovery/data-directory/restore.ts';
import type { ServerProgram } from '../../recovery/data-directory/server-program.ts';
import type { StartedServer } from '../../recovery/data-directory/start-server.ts';
import type { Owner } from '../../recovery/data-directory/write-directory.ts';
import { isoTime, targetWords } from '../../recovery/data-directory/target.ts';
import type { RecoveryTarget, TargetAction } from '../../recovery/data-directory/target.ts';
import { parseLsn } from '../../sources/postgres/wal/lsn.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { parseMoment } from '../moment.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';
import type { DataDirectoryWish } from '../runtime.ts';
import { openSingle } from '../wanted-backup.ts';
import { bytesInWords, counted, durationInWords } from '../words.ts';

const TARGETS = { toTime: '--to-time', toLsn: '--to-lsn', toName: '--to-name', toLatest: '--to-latest', immediate: '--immediate' } as const;

/** `holdfast restore ID --to-data-directory DIR`, to a point in time or as it was backed up (R4). */
export async function restoreIntoDataDirectory(context: CommandContext, id: string, patterns: readonly string[]): Promise<ExitCode> {
  if (patterns.length > 0) throw new HoldfastError('usage', `${patterns.join(' ')} was named, and a data directory is restored whole: parts of a cluster cannot be started.`, { nextStep: 'Restore it whole, and take what you need with pg_dump.' });
  const wish = wishOf(context);
  const { output, surroundings, options, runtime } = context;
  return withVault(context, async (vault) => {
    const { reader, notes: earlier } = await openSingle(context, vault, id);
    const progress = new Progress(surroundings, options['progress'] === true);
    const run = { signal: surroundings.signal, onProgress: progress.show };
    const plan = await runtime.planDataDirectoryRestore(vault, reader, wish, run);
    if (options['dryRun'] === true) return dryRun(output, plan, earlier);
    const { report, notes } = await runtime.restoreDataDirectory(vault, reader, plan, run).finally(() => progress.clear());
    output.result({ type: 'data-directory-restore', ...report, notes: [...earlier, ...notes] }, () => reportLines(output, plan, report));
    for (const warning of [...report.warnings, ...notes]) if (!output.isJson) output.warn(warning);
    return report.warnings.length > 0 || notes.length > 0 ? 3 : 0;
  });
}

function wishOf({ options, surroundings }: CommandContext): DataDirectoryWish {
  return {
    directory: options['toDataDirectory'] as string, target: targetOf(options, surroundings.clock.now()), action: (options['targetAction'] as TargetAction | undefined) ?? 'promote',
    timeline: (options['timeline'] as string | undefined) ?? 'latest', restoreCommand: options['restoreCommand'] as string | undefined, isArchiving: options['keepArchiving'] === true, startPort: options['start'] as number | undefined, access: options,
  };
}

function targetOf(options: CommandContext['options'], now: number): RecoveryTarget {
  const given = (Object.keys(TARGETS) as (keyof typeof TARGETS)[]).filter((name) => options[name] !== undefined);
  if (given.length > 1) throw new HoldfastError('usage', `${given.map((name) => TARGETS[name]).join(' and ')} were given, wanted one target at most.`);
  const [kind] = given;
  const value = String(kind === undefined ? '' : options[kind]);
  if (kind === 'toTime') return timeTarget(value, now);
  if (kind === 'toLsn') return lsnTarget(value.toUpperCase());
  if (kind === 'toName') return { kind: 'name', name: value };
  if (kind === undefined && (options['timeline'] ?? options['targetAction'] ?? options['restoreCommand']) !== undefined) throw new HoldfastError('usage', '--timeline, --target-action and --restore-command are for recovery through an archive, and no target was given.', { nextStep: `Add one of ${Object.values(TARGETS).join(', ')}.` });
  return { kind: kind === 'toLatest' ? 'latest' : kind === 'immediate' ? 'immediate' : 'backup' };
}

const FRACTION = /(:\d{2})\.(\d{1,6})(?=$|Z|[+-])/;

/** As `parseMoment` takes times, with a fraction too: PostgreSQL counts microseconds. */
export function timeTarget(text: string, now: number): RecoveryTarget {
  const [, , fraction = '0'] = FRACTION.exec(text) ?? [];
  const micros = fraction.padEnd(6, '0');
  const at = parseMoment(text.replace(FRACTION, '$1').replace(/(:\d{2}[+-]\d{2})$/, '$1:00'), '--to-time', now);
  const seconds = Math.floor(at / 1000) * 1000;
  const isWhole = seconds === at;
  const digits = isWhole ? micros : String(at - seconds).padStart(3, '0').padEnd(6, '0');
  return { kind: 'time', at: isWhole ? (at * 1000 + Number(micros)) / 1000 : at, text: `${isoTime(seconds).slice(0, 19).replace('T', ' ')}${Number(digits) === 0 ? '' : `.${digits}`}+00` };
}

function lsnTarget(lsn: string): RecoveryTarget {
  parseLsn(lsn);
  return { kind: 'lsn', lsn };
}

function dryRun(output: Output, { backup, request, facts, bytes, settings, owner, program, warnings }: DataDirectoryPlan, notes: readonly string[]): ExitCode {
  const json = { type: 'data-directory-restore-plan', backup, directory: request.directory, bytes, target: request.target, settings: Object.fromEntries(settings), facts, owner: owner?.name ?? null, program: program ?? null, startPort: request.startPort ?? null, warnings, notes };
  output.result(json, () => [
    `Nothing was done. The base backup ${backup} (${bytesInWords(bytes)}, PostgreSQL ${facts.serverVersion}, system ${facts.systemId}, timeline ${facts.timeline}) would go into ${request.directory}${owner === undefined ? '' : `, owned by ${owner.name}`}, and recover to ${targetWords(request.target)}.`,
    `  the backup is consistent from LSN ${facts.stopLsn}, ${isoTime(facts.stoppedAt)}; its WAL begins in ${facts.startSegment}`,
    ...settings.filter(([, value]) => value !== '').map(([name, value]) => `  ${name} = ${value}`),
    `  ${request.startPort === undefined ? 'nothing would be started' : `the server ${program?.version.text ?? ''} would be started on 127.0.0.1:${request.startPort}`}`,
    ...warnings.map((warning) => `  ${warning}`),
  ]);
  return 0;
}

function reportLines(output: Pick<Output, 'paint'>, { request, facts, endsAtGap, owner, program }: DataDirectoryPlan, { backup, directory, files, bytes, server, durationMilliseconds }: DataDirectoryReport): string[] {
  return [
    `${output.paint('green', 'Restored')} ${backup} to ${directory}: ${counted(files, 'file')}, ${bytesInWords(bytes)}, each as the server sent it, in ${durationInWords(durationMilliseconds)}`,
    ...(server === undefined ? notStarted(directory, facts.serverVersion, request.target) : startedLines(server, endsAtGap === true ? 'the gap in the archive, short of its end' : targetWords(request.target))),
    ...(server === undefined || program === undefined ? [] : handlingLines(server, directory, { owner, program })),
    ...(request.isArchiving ? [] : ['  archive_mode is off, so that this copy writes into no archive; when it takes over: ALTER SYSTEM RESET archive_mode, and restart']),
  ];
}

function notStarted(directory: string, version: string, target: RecoveryTarget): string[] {
  return [`  not started: the recovery to ${targetWords(target)} is done by a PostgreSQL ${Number.parseInt(version, 10)} server at its first start: pg_ctl -D ${directory} start (as the owner of the directory; where the origin runs on this machine too, with a port of its own: -o "-p PORT")`, '  it is over when pg_is_in_recovery() is false and the log says so, not when pg_ctl returns'];
}

const STATE_WORDS: Readonly<Record<StartedServer['state'], string>> = { running: 'runs', paused: 'is paused at the target, read-only: pg_wal_replay_resume() ends that', 'shut-down': 'has shut down at the target' };

function startedLines({ state, port, pid, log, stopped, lastLsn, lastCommit, timeline }: StartedServer, target: string): string[] {
  return [
    `  recovered to ${target}${stopped === undefined ? '' : `: stopped ${stopped}`}`,
    ...(lastLsn === undefined ? [] : [`  last record replayed at ${lastLsn}${lastCommit === undefined ? '' : `, last transaction of ${lastCommit}`}${timeline === undefined ? '' : `; now on timeline ${timeline}`}`]),
    `  the server ${STATE_WORDS[state]}${pid === undefined ? '' : ` (127.0.0.1:${port}, pid ${pid})`}; its log: ${log}`,
  ];
}

/** How to get in, and to stop it and start it again: PostgreSQL obeys its owner alone, and its own configuration names the port of its origin. */
export function handlingLines({ port, socket, state, log }: StartedServer, directory: string, { owner, program }: { readonly owner: Owner | undefined; readonly program: ServerProgram }): string[] {
  const as = asOwner(owner);
  const control = `${as}${shellQuote(join(dirname(program.path), 'pg_ctl'))} -D ${shellQuote(directory)}`;
  const again = `${control} -o '-p ${port} -c listen_addresses=127.0.0.1' -l ${shellQuote(log)} start`;
  if (state === 'shut-down') return [`  to start it on this port: ${again}`];
  const way = socket === undefined ? `psql -h 127.0.0.1 -p ${port} -d postgres` : `${as}psql -h ${shellQuote(socket)} -p ${port} -d postgres`;
  return [
    `  log in: ${way}, as ${join(directory, 'pg_hba.conf')} allows${socket === undefined ? '' : '; with `local all all peer` in it the owner needs no password'} (after a change: ${control} reload)`,
    `  stop: ${control} stop; start it again on this port: ${again}`,
  ];
}

function asOwner(owner: Owner | undefined): string {
  if (owner === undefined) return '';
  return owner.name === 'postgres' ? 'runuser -u postgres -- ' : `setpriv --reuid=${owner.uid} --regid=${owner.gid} --clear-groups `;
}
