import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import type { Config } from '../config/load-config.ts';
import { singlesOf } from '../config/parts.ts';
import { findContainerProgram, inspectContainer } from '../sources/containers.ts';
import { findSqlClient, inWords } from '../sources/mariadb/client.ts';
import type { SqlSourceType } from '../sources/mariadb/client.ts';
import { findBaseBackupClient } from '../sources/postgres/base-backup-client.ts';
import { findClient, findProgram, versionOf } from '../sources/postgres/client.ts';
import type { ClientPlaces } from '../sources/client-programs.ts';
import { findWalClient } from '../sources/postgres/wal/receiver.ts';
import { shellFor } from '../sources/shell.ts';
import type { ProbeFinding } from '../stores/probe.ts';
import type { DoctorCheck } from './doctor-vault.ts';
import type { Environment } from './places.ts';
import { mariadbPlaces } from './mariadb-places.ts';
import { postgresPlaces } from './postgres-places.ts';

/** Whether the programs that plans of this machine need are there, and which versions. */
export async function programChecks(config: Config, environment: Environment): Promise<readonly DoctorCheck[]> {
  const { resolvePlans } = await import('../config/resolve-plans.ts');
  const plans = resolvePlans(config).filter(({ vault }) => vault.kind !== 'aws');
  const sets = plans.flatMap(({ name, source }) => (source.type === 'set' ? [{ name, source }] : []));
  const here = plans.flatMap(({ name, source }) => singlesOf(source).map((single) => ({ name, source: single })));
  const postgres = here.filter(({ source }) => source.type === 'postgres').map(({ name }) => name);
  const globals = here.filter(({ source }) => source.type === 'postgres' && source.globals !== 'none').map(({ name }) => name);
  const physical = here.filter(({ source }) => source.type === 'postgres-physical').map(({ name }) => name);
  const sql = here.flatMap(({ name, source }) => (source.type === 'mariadb' || source.type === 'mysql' ? [{ name, type: source.type }] : []));
  const halting = sets.flatMap(({ name, source: { quiesce, resume } }) => [quiesce, resume].flatMap((hook) => (hook ? [{ name, command: hook.command }] : [])));
  const commands = [...here.flatMap(({ name, source }) => (source.type === 'command' ? [{ name, command: source.command }] : [])), ...halting];
  const containers = sets.flatMap(({ name, source }) => (source.containers ? [{ name, ...source.containers }] : []));
  return [
    ...(postgres.length > 0 ? [{ check: 'has the programs of PostgreSQL', run: () => client(environment, postgres) }] : []),
    ...(globals.length > 0 ? [{ check: 'has the program for roles', run: () => dumpall(environment, globals) }] : []),
    ...(physical.length > 0 ? [{ check: 'has the programs of base backups', run: () => baseBackupClient(environment, physical) }] : []),
    ...(['mariadb', 'mysql'] as const).flatMap((type) => {
      const plans = sql.filter((plan) => plan.type === type).map(({ name }) => name);
      return plans.length > 0 ? [{ check: `has the programs for ${type}`, run: () => sqlClient(type, environment, plans) }] : [];
    }),
    ...(commands.length > 0 ? [{ check: 'can run its commands', run: () => runnable(commands, environment) }] : []),
    ...containers.map((wanted) => ({ check: `can stop the containers of ${wanted.name}`, run: () => containersOf(wanted, environment) })),
  ];
}

/** Throws what a run of the plan would say. */
async function containersOf({ names, program: wanted }: { readonly names: readonly string[]; readonly program?: 'docker' | 'podman' }, { variables }: Environment): Promise<ProbeFinding> {
  const program = await findContainerProgram(wanted, variables);
  const states: string[] = [];
  for (const name of names) states.push(`${name} ${(await inspectContainer(program, name, { environment: variables, secrets: [] })).isRunning ? 'runs' : 'does not run, and stays so'}`);
  return { result: 'ok', seen: `${program}: ${states.join(', ')}` };
}

/** Throws what a run of such a plan would say. */
async function client(environment: Environment, plans: readonly string[]): Promise<ProbeFinding> {
  const { version, pgDump } = await findClient(postgresPlaces(environment));
  return { result: 'ok', seen: `PostgreSQL ${version.text} (${pgDump}) for ${planWords(plans)}; each run compares it with its server` };
}

async function dumpall(environment: Environment, plans: readonly string[]): Promise<ProbeFinding> {
  const places = postgresPlaces(environment);
  const program = await findProgram('pg_dumpall', places);
  return { result: 'ok', seen: `pg_dumpall ${(await versionOf(program, places.environment)).text} (${program}) for ${planWords(plans)}` };
}

async function baseBackupClient(environment: Environment, plans: readonly string[]): Promise<ProbeFinding> {
  const places = postgresPlaces(environment);
  const { version, pgBasebackup } = await findBaseBackupClient(places);
  return { result: 'ok', seen: `pg_basebackup ${version.text} (${pgBasebackup}) for ${planWords(plans)}; each run compares it with its server. ${await walReceiver(places)}` };
}

/** No plan needs it: its WAL may come by `wal-archive`. */
async function walReceiver(places: ClientPlaces): Promise<string> {
  const isThere = await findProgram('pg_receivewal', places).then(() => true, () => false);
  return isThere ? `\`holdfast wal-receive\` has pg_receivewal ${(await findWalClient(places)).version.text}` : '`holdfast wal-receive` would need pg_receivewal, which is not here; `wal-archive` does not';
}

async function sqlClient(type: SqlSourceType, environment: Environment, plans: readonly string[]): Promise<ProbeFinding> {
  const { version, dump } = await findSqlClient(type, mariadbPlaces(environment));
  return { result: 'ok', seen: `${inWords(version)} (${dump}) for ${planWords(plans)}; each run compares it with its server` };
}

async function runnable(commands: readonly { readonly name: string; readonly command: string | readonly string[] }[], environment: Environment): Promise<ProbeFinding> {
  const missing: string[] = [];
  for (const { name, command } of commands) {
    if (typeof command === 'string') await shellFor(command, { PATH: environment.variables['PATH'] });
    const program = programOf(command);
    if (program !== undefined && !(await isThere(program, environment))) missing.push(`${program} of plan ${name}`);
  }
  if (missing.length === 0) return { result: 'ok', seen: `what the commands of ${planWords([...new Set(commands.map(({ name }) => name))])} begin with is there` };
  return { result: 'failed', seen: `not in PATH: ${missing.join(', ')}`, nextStep: 'Install it, or write its whole path into holdfast.yaml. Cron has a shorter PATH than you.' };
}

/** What a line begins with, where that is a plain word; a shell knows the rest. */
function programOf(command: string | readonly string[]): string | undefined {
  if (typeof command !== 'string') return command[0];
  const [word] = /^[\w./+-]+(?=\s|$)/.exec(command.trim()) ?? [];
  return word === undefined || SHELL_WORDS.has(word) ? undefined : word;
}

const SHELL_WORDS = new Set(['cd', 'echo', 'exec', 'export', 'for', 'if', 'printf', 'set', 'test', 'time', 'umask', 'while', '.', 'source', 'trap', 'ulimit', 'true', 'false', 'command', 'eval', 'read', 'until', 'case', 'wait']);

async function isThere(program: string, { variables, workingFolder }: Environment): Promise<boolean> {
  const places = program.includes('/') ? [join(program.startsWith('/') ? '/' : workingFolder, program)] : (variables['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program));
  for (const place of places) if (await access(place, constants.X_OK).then(() => true, () => false)) return true;
  return false;
}

function planWords(plans: readonly string[]): string {
  return plans.length === 1 ? `plan ${plans[0]}` : `plans ${plans.join(', ')}`;
}
