import { styleText } from 'node:util';
import { unsteered } from '../model/byte-string.ts';
import type { Surroundings } from './runtime.ts';

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'dim';

/**
 * Results go to standard output, everything else to standard error. With `--json` results are one JSON document on one
 * line each, and nothing else is on standard output.
 */
export class Output {
  readonly isJson: boolean;
  readonly #surroundings: Surroundings;

  constructor(surroundings: Surroundings, isJson: boolean) {
    this.#surroundings = surroundings;
    this.isJson = isJson;
  }

  /** One result: a line of JSON for programs, or what `text` makes of it for people. */
  result(json: object, text: () => string | readonly string[]): void {
    if (this.isJson) return this.#write('stdout', JSON.stringify(json));
    const lines = text();
    for (const line of typeof lines === 'string' ? [lines] : lines) this.#write('stdout', line);
  }

  raw(bytes: Uint8Array): Promise<void> {
    const { stdout } = this.#surroundings;
    return new Promise((resolve, reject) => stdout.write(bytes, (error) => (error ? reject(error) : resolve())));
  }

  /** For people who watch: never part of a result. */
  note(text: string): void {
    this.#write('stderr', text);
  }

  warn(text: string): void {
    this.#write('stderr', `${this.paint('yellow', 'warning:', 'stderr')} ${unsteered(text)}`);
  }

  /** Only on a terminal, and never when NO_COLOR is set. */
  paint(colour: Colour, text: string, stream: 'stdout' | 'stderr' = 'stdout'): string {
    const isWanted = this.#surroundings[stream].isTTY === true && !this.#surroundings.environment['NO_COLOR'];
    return isWanted ? styleText(colour, text, { validateStream: false }) : text;
  }

  #write(stream: 'stdout' | 'stderr', text: string): void {
    this.#surroundings[stream].write(`${text}\n`);
  }
}
