import { HoldfastError } from '../../model/errors.ts';

/** Where a line of a dump belongs. `head`: settings for all that follows; `end`: the last line. */
export type DumpPart = 'head' | 'sequence' | 'table' | 'rows' | 'trigger' | 'view' | 'events' | 'routines' | 'end';

export interface DumpLine {
  readonly part: DumpPart;
  /** Of the table, view or sequence; of a trigger its table; empty for others. */
  readonly name: string;
  /** Without its line end. */
  readonly bytes: Buffer;
}

/** Lines by which mariadb-dump and mysqldump begin what comes next. */
const MARKS: readonly (readonly [RegExp, DumpPart])[] = [
  [/^-- Table structure for table `(.*)`$/s, 'table'],
  [/^-- Dumping data for table `(.*)`$/s, 'rows'],
  [/^-- Sequence structure for `(.*)`$/s, 'sequence'],
  [/^-- Temporary (?:table|view) structure for view `(.*)`$/s, 'view'],
  [/^-- Final view structure for view `(.*)`$/s, 'view'],
  [/^-- Dumping events for database/, 'events'],
  [/^-- Dumping routines for database/, 'routines'],
  [/^-- Dump completed/, 'end'],
];
const DASH = 0x2d;
const LINE_END = 0x0a;
/** Before each trigger, which have no mark of their own. */
const TRIGGER_BEGINS = '/*!50003 SET @saved_cs_client';

/**
 * The lines of a dump with the part that each belongs to, less its comments. Rows are escaped, so that a row is a line. What stands
 * between `DELIMITER ;;` and `DELIMITER ;` is somebody's program, which may look like anything: it begins nothing.
 */
export async function* dumpLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<DumpLine> {
  let part: DumpPart = 'head';
  let name = '';
  let isProgram = false;
  for await (const line of splitLines(bytes)) {
    if (isProgram) {
      isProgram = !line.equals(DELIMITER_BACK);
    } else if (line[0] === DASH && line[1] === DASH) {
      const text = line.toString('utf8');
      const mark = MARKS.find(([pattern]) => pattern.test(text));
      if (mark !== undefined) {
        part = mark[1];
        name = (mark[0].exec(text)?.[1] ?? '').replaceAll('``', '`');
      }
      if (mark?.[1] !== 'end' && !text.startsWith(HOLDFAST)) continue;
    } else if ((part === 'rows' || part === 'table') && startsWith(line, TRIGGER_BEGINS)) {
      part = 'trigger';
    } else if (startsWith(line, 'DELIMITER ') && !line.equals(DELIMITER_BACK)) {
      isProgram = true;
    }
    yield { part, name, bytes: line };
  }
}

const HOLDFAST = '-- Holdfast: ';
const DELIMITER_BACK = Buffer.from('DELIMITER ;');

/** What Holdfast's own first line and the program's head say of the database. */
export interface DumpHead {
  readonly database: string;
  /** Of new tables; absent in a dump that Holdfast did not make. */
  readonly characterSet?: string;
  readonly collation?: string;
  /** Versions as the program wrote them. */
  readonly server: string;
  readonly dumpedBy: string;
}

/** More than any head has. */
const HEAD_BYTES = 16 * 1024;

/** Reads the beginning alone. Fails as `refused` when it is no dump of mariadb-dump or mysqldump. */
export async function readDumpHead(bytes: AsyncIterable<Uint8Array>): Promise<DumpHead> {
  let start = Buffer.alloc(0);
  for await (const part of bytes) {
    start = Buffer.concat([start, part]);
    if (start.length >= HEAD_BYTES) break;
  }
  const text = start.subarray(0, HEAD_BYTES).toString('utf8');
  const [, dumpedBy = ''] = /^-- (?:MariaDB|MySQL) dump .*?(\d+\.\d+\.\d+)(?:-MariaDB)?,/m.exec(text) ?? [];
  const [, host] = /^-- Host: .*? {4}Database: (.*)$/m.exec(text) ?? [];
  if (dumpedBy === '' || host === undefined) throw new HoldfastError('refused', `This entry is no dump of mariadb-dump or mysqldump: it begins with ${JSON.stringify(text.slice(0, 40))}.`, { nextStep: 'Other SQL is restored by hand: `holdfast cat ID NAME | mariadb DATABASE`.' });
  const [, name, characterSet, collation] = /^-- Holdfast: database (".*") character set (\w+) collate (\w+)$/m.exec(text) ?? [];
  return {
    database: name === undefined ? host : (JSON.parse(name) as string), dumpedBy,
    server: /^-- Server version\s+(\S+)/m.exec(text)?.[1] ?? '',
    ...(characterSet !== undefined && { characterSet }), ...(collation !== undefined && { collation }),
  };
}

/** A line may be as long as the largest row: its pieces are joined once. */
async function* splitLines(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const waiting: Buffer[] = [];
  for await (const part of bytes) {
    const buffer = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
    let from = 0;
    for (let at = buffer.indexOf(LINE_END); at >= 0; at = buffer.indexOf(LINE_END, from)) {
      const piece = buffer.subarray(from, at);
      from = at + 1;
      if (waiting.length === 0) yield piece;
      else yield Buffer.concat([...waiting.splice(0), piece]);
    }
    // What reads chunks may use their memory again.
    if (from < buffer.length) waiting.push(Buffer.from(buffer.subarray(from)));
  }
  if (waiting.length > 0) yield Buffer.concat(waiting);
}

function startsWith(line: Buffer, text: string): boolean {
  return line.length >= text.length && line.toString('latin1', 0, text.length) === text;
}
