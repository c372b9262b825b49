import { HoldfastError } from '../../model/errors.ts';
import type { Clock } from '../../model/clock.ts';
import { feed } from '../postgres/feed.ts';
import { startProgram } from '../program.ts';
import { secretsOf, serverName } from './connection.ts';
import type { SqlSession } from './query.ts';
import { RowJoiner } from './row-joiner.ts';
import { dumpLines } from './sections.ts';
import type { DumpLine, DumpPart } from './sections.ts';
import type { DatabaseObject, ObjectKind } from './target.ts';

/** What a dump holds beside tables and rows: made in the place where it stays, after the tables are there. */
const LATE: ReadonlySet<DumpPart> = new Set(['trigger', 'view', 'events', 'routines']);
/** All views, triggers and routines of a database are text that people wrote. */
const LATE_BYTES = 256 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;
const LINE_END = Buffer.from('\n');

export interface SplitDump {
  /** Settings, sequences, tables and rows; to be read first, to its end. */
  early(): AsyncGenerator<Buffer>;
  /** Everything else, in its order, with the same settings before it. Only after `early`. */
  late(): Buffer;
  /** Views, routines and events that `late` makes; triggers go with their tables. Only after `early`. */
  lateObjects(): readonly DatabaseObject[];
  /** The last line was there. Only after `early`. */
  isWhole(): boolean;
}

export interface SplitOptions {
  /** Name of the database that was dumped, and of the one that the tables are made in. */
  readonly from: string;
  readonly into: string;
  /** What is not chosen is left out; all by default. Of chosen tables nothing comes but what belongs to them. */
  readonly isChosen?: ((name: string) => boolean) | undefined;
  readonly isWithoutOwners: boolean;
}

/** Divides a dump into what can be loaded aside and what cannot. */
export function splitDump(bytes: AsyncIterable<Uint8Array>, options: SplitOptions): SplitDump {
  const late: Buffer[] = [];
  const settings: Buffer[] = [];
  const names = lateNames();
  let lateBytes = 0;
  let isWhole = false;
  return {
    early: async function* () {
      const joiner = new RowJoiner();
      let pieces: Buffer[] = [];
      let size = 0;
      for await (const line of dumpLines(bytes)) {
        if (line.part === 'end') isWhole = true;
        else if (line.part === 'head') settings.push(...settingOf(line));
        if (line.part === 'end' || !isWanted(line, options) || isTransaction(line)) continue;
        if (LATE.has(line.part)) {
          names.add(line);
          late.push(withoutOwner(line, options), LINE_END);
          lateBytes += line.bytes.length;
          if (lateBytes > LATE_BYTES) throw new HoldfastError('unsupported', `The views, triggers and routines of the dump have more than ${LATE_BYTES} bytes, wanted at most so many.`, { nextStep: 'Restore it by hand: `holdfast cat ID NAME | mariadb DATABASE`.' });
          continue;
        }
        const ready = line.part === 'rows' ? joiner.add(line.bytes) : Buffer.concat([joiner.flush(), ...(line.part === 'head' ? settingOf(line).flatMap((one) => [one, LINE_END]) : [tableLine(line, options), LINE_END])]);
        pieces.push(ready);
        size += ready.length;
        if (size < PIECE_BYTES) continue;
        yield Buffer.concat(pieces);
        [pieces, size] = [[], 0];
      }
      yield Buffer.concat([...pieces, joiner.flush()]);
    },
    late: () => Buffer.concat([...settings.flatMap((line) => [line, LINE_END]), ...late]),
    lateObjects: () => names.objects,
    isWhole: () => isWhole,
  };
}

/** The first line switches a mode on that the option `--sandbox` switches on here; another program does not understand it. */
function settingOf({ bytes }: DumpLine): Buffer[] {
  const text = bytes.toString('latin1', 0, 20);
  return text.startsWith('/*M!999999') || text.startsWith('--') ? [] : [bytes];
}

function isWanted({ part, name }: DumpLine, { isChosen }: SplitOptions): boolean {
  // Which sequences a chosen table takes numbers from is known when the table is there.
  if (part === 'head' || part === 'sequence' || isChosen === undefined) return true;
  return part !== 'events' && part !== 'routines' && isChosen(name);
}

/**
 * The dump makes one transaction of each table, for the sake of those who load it by hand. What is filled aside needs none, and
 * is there in half the time (measured: 5.4 s instead of 11.2 s for 300,000 rows).
 */
function isTransaction({ part, bytes }: DumpLine): boolean {
  return part === 'rows' && bytes.length < 80 && TRANSACTION.test(bytes.toString('latin1'));
}

const TRANSACTION = /^(?:SET @OLD_AUTOCOMMIT=|SET AUTOCOMMIT=@OLD_AUTOCOMMIT;|COMMIT;)/;

/** A sequence is named with its database where it is a default: there it would still be that of the original. */
function tableLine({ part, bytes }: DumpLine, { from, into }: SplitOptions): Buffer {
  if (part !== 'table' || !(bytes.includes('nextval(') || bytes.includes('lastval('))) return bytes;
  return Buffer.from(bytes.toString('utf8').replaceAll(`nextval(${quoted(from)}.`, `nextval(${quoted(into)}.`).replaceAll(`lastval(${quoted(from)}.`, `lastval(${quoted(into)}.`), 'utf8');
}

const DEFINER = /DEFINER=`(?:[^`]|``)*`(?:@`(?:[^`]|``)*`)?/;
/** Lines that begin a view, trigger, routine or event; none of a body, which may say anything. */
const BEGINS = /^(?:CREATE DEFINER=|\/\*!50013 DEFINER=|\/\*!50003 CREATE\*\/ |\/\*!50106 CREATE\*\/ |\/\*!50020 DEFINER=)/;

const PROGRAM = /^(?:\/\*!\d+ )?CREATE\b.*?\b(PROCEDURE|FUNCTION|EVENT) (?:IF NOT EXISTS )?`((?:[^`]|``)*)`/;

/** What the lines make. Of a program its first line alone counts: its body may say anything. */
function lateNames(): { readonly objects: DatabaseObject[]; add(line: DumpLine): void } {
  const objects: DatabaseObject[] = [];
  let isBeginning = false;
  const add = ({ part, name, bytes }: DumpLine) => {
    if (part === 'view' && !objects.some((object) => object.kind === 'view' && object.name === name)) objects.push({ kind: 'view', name });
    if (part !== 'events' && part !== 'routines') return;
    if (bytes.toString('latin1', 0, 10) === 'DELIMITER ') isBeginning = true;
    const [, kind, quotedName] = (isBeginning && PROGRAM.exec(bytes.toString('utf8').replace(DEFINER, ''))) || [];
    if (kind === undefined || quotedName === undefined) return;
    isBeginning = false;
    objects.push({ kind: kind.toLowerCase() as ObjectKind, name: quotedName.replaceAll('``', '`') });
  };
  return { objects, add };
}

function withoutOwner({ bytes }: DumpLine, { isWithoutOwners }: SplitOptions): Buffer {
  if (!isWithoutOwners || !BEGINS.test(bytes.toString('latin1', 0, 40))) return bytes;
  return Buffer.from(bytes.toString('utf8').replace(DEFINER, ''), 'utf8');
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

export interface PourOptions {
  readonly database: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What was under way, for messages: `tables and rows`. */
  readonly what: string;
}

/** Streams statements into the command line program, which stops at the first that fails. Fails as `target-failed`, `permission`, `no-space`. */
export async function pour(statements: AsyncIterable<Uint8Array>, session: SqlSession, { database, clock, signal, what }: PourOptions): Promise<void> {
  const { client, connection, opened } = session;
  // Names in a dump must not run programs on this machine.
  const safe = client.version.flavour === 'MariaDB' ? ['--sandbox'] : [];
  const { name, group, said } = startProgram([client.shell, opened.argument, ...safe, '--batch', '--', database], { stdin: 'pipe', stdout: 'ignore', environment: opened.environment, secrets: secretsOf(connection), clock });
  const onAbort = () => void group.kill();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await feed(statements, group.input, { signal });
    const end = await group.ended;
    signal.throwIfAborted();
    if (end.code === 0) return;
    throw loadFailure(said.text(), `${name} ended with ${end.code === null ? String(end.signal ?? end.startError?.code) : `exit code ${end.code}`} while ${what} went into ${serverName(connection)}`);
  } catch (error) {
    if (signal.aborted) throw new HoldfastError('interrupted', `Restoring ${what} at ${serverName(connection)} was stopped.`, { cause: signal.reason });
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    await group.kill();
  }
}

const ROWS = [
  { pattern: /ERROR 14(18|19)\b/, code: 'permission', nextStep: 'The server writes a binary log, and takes triggers and functions then only from a user with SUPER, and functions that are not DETERMINISTIC from nobody: restore as a user with SUPER (GRANT SUPER ON *.* TO …), or as an administrator SET GLOBAL log_bin_trust_function_creators = 1 while the restore runs. SET USER and --no-owner do not help.' },
  { pattern: /ERROR (1044|1142|1143|1227|1370)\b/, code: 'permission', nextStep: 'Restore as a user who may (the definers of views, triggers and routines need SET USER or SUPER), or with --no-owner.' },
  { pattern: /ERROR (1021|1114|3)\b|No space left/, code: 'no-space', nextStep: 'Make room on the server, and restore again.' },
  { pattern: /ERROR (1153|2020)\b/, code: 'target-failed', nextStep: "Raise max_allowed_packet of the server above its largest row, and restore again." },
] as const;

function loadFailure(said: string, how: string): HoldfastError {
  const row = ROWS.find(({ pattern }) => pattern.test(said));
  return new HoldfastError(row?.code ?? 'target-failed', `${how}, wanted exit code 0. It said: ${said || 'nothing'}`, { nextStep: row?.nextStep ?? 'Mend what it says, and restore again.' });
}
