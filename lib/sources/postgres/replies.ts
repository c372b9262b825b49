import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';

/** Answers of a psql that is asked one thing after another: records end in NUL, columns are parted by U+001F. */
export class Replies {
  /** Statement to send behind each question. */
  readonly endOfReply: string;
  readonly #mark: string;
  readonly #waiting: ((rows: string[][] | undefined) => void)[] = [];
  #pending = '';
  #rows: string[][] = [];
  #hasEnded = false;

  constructor(output: Readable) {
    this.#mark = `end-${randomBytes(8).toString('hex')}`;
    this.endOfReply = `select '${this.#mark}';`;
    output.setEncoding('utf8');
    output.on('data', (text: string) => this.#take(text));
    output.once('close', () => this.#end());
  }

  /** The rows of the next answer; undefined when psql ended before it was whole. Call it before asking. */
  next(): Promise<string[][] | undefined> {
    return new Promise((resolve) => (this.#hasEnded ? resolve(undefined) : this.#waiting.push(resolve)));
  }

  #take(text: string): void {
    const records = (this.#pending + text).split('\0');
    this.#pending = records.pop() ?? '';
    for (const record of records) {
      if (record !== this.#mark) {
        this.#rows.push(record.split('\u001f'));
        continue;
      }
      this.#waiting.shift()?.(this.#rows);
      this.#rows = [];
    }
  }

  #end(): void {
    this.#hasEnded = true;
    for (const resolve of this.#waiting.splice(0)) resolve(undefined);
  }
}
