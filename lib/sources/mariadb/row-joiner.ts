const STATEMENT_BYTES = 1024 * 1024;
const INSERT = Buffer.from('INSERT INTO ');
const BETWEEN = Buffer.from(',\n');
const END = Buffer.from(';\n');
const LINE_END = Buffer.from('\n');
const BACKTICK = 0x60;
const VALUES = Buffer.from(' VALUES (');

/**
 * Joins rows of one table into statements of about 1 MiB: dumps keep a row to a statement for the sake of deduplication, and
 * loading them so takes four times as long. Every other line passes as it is.
 */
export class RowJoiner {
  /** What all rows of the open statement begin with, up to and without the first parenthesis. */
  #prefix: Buffer | undefined;
  #parts: Buffer[] = [];
  #bytes = 0;

  /** What can be sent now; empty while rows are gathered. */
  add(line: Buffer): Buffer {
    const start = this.#rowStart(line);
    if (start === undefined) return Buffer.concat([this.flush(), line, LINE_END]);
    const row = line.subarray(start, -1);
    const done = this.#bytes + row.length > STATEMENT_BYTES || !this.#continues(line, start) ? this.flush() : Buffer.alloc(0);
    if (this.#parts.length === 0) this.#prefix = Buffer.from(line.subarray(0, start));
    this.#parts.push(this.#parts.length === 0 ? (this.#prefix as Buffer) : BETWEEN, Buffer.from(row));
    this.#bytes += row.length;
    return done;
  }

  /** The end of the statement that is open. */
  flush(): Buffer {
    if (this.#parts.length === 0) return Buffer.alloc(0);
    const statement = Buffer.concat([...this.#parts, END]);
    this.#parts = [];
    this.#bytes = 0;
    this.#prefix = undefined;
    return statement;
  }

  #continues(line: Buffer, start: number): boolean {
    return this.#prefix?.length === start && line.subarray(0, start).equals(this.#prefix);
  }

  /** Where the parenthesis of the only row stands; undefined when it is no such statement. */
  #rowStart(line: Buffer): number | undefined {
    if (!line.subarray(0, INSERT.length).equals(INSERT) || line[line.length - 1] !== 0x3b) return undefined;
    if (this.#prefix !== undefined && line.subarray(0, this.#prefix.length).equals(this.#prefix)) return this.#prefix.length;
    let isName = false;
    for (let at = INSERT.length; at < line.length; at++) {
      if (line[at] === BACKTICK) isName = !isName;
      else if (!isName && line[at] === VALUES[0] && line.subarray(at, at + VALUES.length).equals(VALUES)) return at + VALUES.length - 1;
    }
    return undefined;
  }
}
