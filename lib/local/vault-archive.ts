import { spawn } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { shellQuote } from '../keyring/shell-quote.ts';
import { HoldfastError } from '../model/errors.ts';
import type { Owner } from '../recovery/data-directory/write-directory.ts';
import { serverEnvironment } from '../recovery/data-directory/start-server.ts';
import { targetWords } from '../recovery/data-directory/target.ts';
import type { RecoveryTarget } from '../recovery/data-directory/target.ts';
import { checkTarget, unreachedBehind } from '../recovery/pitr/check-target.ts';
import type { PitrTarget } from '../recovery/pitr/check-target.ts';
import { refuseDiverged } from '../recovery/pitr/divergence.ts';
import { readLedgers } from '../recovery/pitr/read-ledger.ts';
import type { WalLedger } from '../recovery/pitr/read-ledger.ts';
import type { Manifest, Repository } from '../repository/index.ts';
import { readFacts } from '../sources/postgres/base-backup-facts.ts';
import type { BaseBackupFacts } from '../sources/postgres/base-backup-facts.ts';
import { parseLsn } from '../sources/postgres/wal/lsn.ts';
import { findConfig } from './configuration.ts';
import type { Environment } from './places.ts';
import { chooseVault } from './vault-choice.ts';
import type { VaultOptions } from './vault-choice.ts';

/** A name that no archive has: what is asked for it tells whether the vault can be asked. */
const NOWHERE = 'FFFFFFFF.history';
/** 256 MiB below the state directory of whoever runs the server; taken away when recovery has come to its end. */
const ALSO_NEXT = 16;
/** Of `wal-fetch`: found, and not there. Everything else ends a recovery. */
const ANSWERS: readonly (number | null)[] = [0, 1];

interface Asked {
  readonly target: RecoveryTarget;
  readonly timeline: string;
  readonly facts: BaseBackupFacts;
}

/**
 * Refuses a target that no recovery reaches from this base backup with the WAL in the vault, and shows the windows; answers what
 * somebody must know of one that is reached. Fails as `refused`; as `usage` when the vault has no WAL of the server at all.
 */
export async function checkAgainstVault(repository: Repository, manifest: Manifest, { target, timeline, facts }: Asked): Promise<string[]> {
  const ledger = await ledgerOf(repository, manifest, { target, facts });
  if (ledger === undefined || ledger.entries.length === 0) throw new HoldfastError('usage', `Recovery to ${targetWords(target)} needs an archive of WAL: the vault has none of this server, and no command to read another was given.`, { nextStep: "For example: --restore-command 'cp /archive/%f %p'. To archive into the vault: docs/point-in-time.md." });
  if (timeline === 'latest') refuseDiverged(ledger, pitrTarget(target), facts);
  const { base, line, window } = checkTarget(ledger.lines, pitrTarget(target), timeline === 'latest' ? undefined : timeline === 'current' ? facts.timeline : Number(timeline));
  if (window.bases.some(({ backup }) => backup === manifest.backup)) return target.kind === 'latest' ? unreachedBehind(line) : [];
  throw new HoldfastError('refused', `The target ${targetWords(target)} is not reached from the base backup ${manifest.backup}: WAL behind it is missing in the vault. Nothing was restored.`, { nextStep: `Restore ${base.backup}, which leads there; \`holdfast pitr windows\` shows all.` });
}

/**
 * A command that was written by hand may read another vault, so that nothing is said of what it reaches. But where it is `wal-fetch`,
 * and this vault knows that two timelines of the server went on beside each other, it is refused like ours.
 */
export async function refuseDivergedCommand(repository: Repository, manifest: Manifest, { target, timeline, facts }: Asked): Promise<void> {
  const ledger = timeline === 'latest' ? await ledgerOf(repository, manifest, { target, facts }) : undefined;
  if (ledger !== undefined) refuseDiverged(ledger, pitrTarget(target), facts);
}

/** Base backups of the same server that somebody may rely on. */
export async function basesOf(repository: Repository, manifest: Manifest, facts: BaseBackupFacts): Promise<WalLedger['bases']> {
  return (await ledgerOf(repository, manifest, { target: { kind: 'latest' }, facts }))?.bases ?? [];
}

async function ledgerOf(repository: Repository, { plan }: Manifest, { target, facts }: Omit<Asked, 'timeline'>): Promise<WalLedger | undefined> {
  return (await readLedgers(repository, plan, readFacts, target.kind === 'time' ? Infinity : undefined)).find(({ systemId }) => systemId === facts.systemId);
}

function pitrTarget(target: RecoveryTarget): PitrTarget {
  if (target.kind === 'lsn') return { kind: 'lsn', lsn: parseLsn(target.lsn) };
  if (target.kind === 'time' || target.kind === 'name') return target;
  return { kind: target.kind === 'latest' ? 'latest' : 'immediate' };
}

/** `restore_command` that asks the vault: this program, with places that mean the same in any folder. */
export async function walFetchCommand(access: VaultOptions, { planName }: Pick<Manifest, 'planName'>, { facts, environment }: { readonly facts: BaseBackupFacts; readonly environment: Environment }): Promise<string> {
  const config = await findConfig(environment, access.config);
  const { directory, s3, key } = await chooseVault(access, environment, config);
  const { variables, workingFolder } = environment;
  const named = access.vault ?? variables['HOLDFAST_VAULT'];
  // Root restores for another user, whose state directory is not the one of these variables.
  const isAhead = process.getuid?.() !== 0;
  const words = [
    ...(isAhead ? quickProgram() : slowProgram()), '%f', '%p', '--plan', planName, '--system-id', facts.systemId,
    ...(isAhead ? ['--also-next', String(ALSO_NEXT)] : []),
    ...(config === undefined ? [] : ['--config', config.file]),
    ...(s3 === undefined ? ['--vault', directory] : named === undefined ? [] : ['--vault', named]),
    ...keyWords(key, workingFolder),
  ];
  // PostgreSQL puts names in for %f and %p; every other % is doubled.
  return words.map((word) => (word === '%f' || word === '%p' ? word : shellQuote(word).replaceAll('%', '%%'))).join(' ');
}

function slowProgram(): string[] {
  return [process.execPath, realpathSync(process.argv[1] ?? ''), 'wal-fetch'];
}

/** What was fetched ahead is given away without Node: a server asks for thousands of files. */
function quickProgram(): string[] {
  const script = join(dirname(realpathSync(process.argv[1] ?? '')), 'holdfast-wal');
  return existsSync(script) ? ['env', `NODE=${process.execPath}`, script, 'fetch'] : slowProgram();
}

const KEY_FLAGS: Readonly<Record<string, string>> = { 'key-file': '--key-file', 'passphrase-file': '--passphrase-file', 'recipient-key': '--recipient-key-file' };

/** A passphrase in a variable, and keys of KMS, are found again by configuration and environment. */
function keyWords(key: Awaited<ReturnType<typeof chooseVault>>['key'], workingFolder: string): string[] {
  const flag = KEY_FLAGS[key.kind];
  return flag !== undefined && 'path' in key ? [flag, resolve(workingFolder, key.path)] : [];
}

/**
 * Runs the command once, as the user and with the variables that the server will have: a key that it may not read would
 * otherwise be found in the middle of a recovery. Fails as `target-failed`.
 */
export async function proveCommand(command: string, owner: Owner | undefined, { variables }: Environment): Promise<void> {
  const line = command.replaceAll('%f', NOWHERE).replaceAll('%p', '/dev/null').replaceAll('%%', '%');
  const child = spawn('/bin/sh', ['-c', line], { cwd: '/', env: serverEnvironment(variables, command), stdio: ['ignore', 'ignore', 'pipe'], ...(owner && { uid: owner.uid, gid: owner.gid }) });
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said = (said + bytes.toString()).slice(-2000)));
  const code = await new Promise<number | null>((done) => {
    child.once('error', (error) => {
      said = error.message;
      done(null);
    });
    child.once('close', done);
  });
  if (ANSWERS.includes(code)) return;
  throw new HoldfastError('target-failed', `WAL cannot be fetched from the vault${owner === undefined ? '' : ` by ${owner.name}, whose server would do the recovery`}: ${said.trim().replaceAll('\n', ' ') || `the command ended with ${code}`}. Nothing was restored.`, {
    nextStep: `${owner === undefined ? 'Mend what it says' : `Let that user read the vault, its key and holdfast.yaml, or restore as that user`}; or name another archive with --restore-command. The command: ${command}`,
  });
}
