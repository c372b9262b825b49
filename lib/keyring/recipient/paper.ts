import { createHash } from 'node:crypto';
import { HoldfastError } from '../../model/errors.ts';
import { checksOf, fromValues, isWhole, lettersOf, toValues, valueOf } from './paper-code.ts';

/** Each of three groups of four letters and a group of two check letters (format §3). */
export const PAPER_LINES = 5;

const VERSION = '1';
const DATA_LETTERS = 12;
const LINE_LETTERS = DATA_LETTERS + 2;
const LINE = /^\s*([0-9]{1,2})\s*:(.*)$/;

/** The secret of a recipient as it is written on paper; the first one is line 1. `seed` is 32 bytes. */
export function paperLines(seed: Uint8Array): string[] {
  const values = toValues(`${VERSION}${Buffer.from(seed).toString('hex')}${checkOf(seed)}`);
  return Array.from({ length: PAPER_LINES }, (_, index) => {
    const data = values.slice(index * DATA_LETTERS, (index + 1) * DATA_LETTERS);
    const letters = lettersOf([...data, ...checksOf(index + 1, data)]);
    return `${letters.slice(0, 4)} ${letters.slice(4, 8)} ${letters.slice(8, 12)} ${letters.slice(12)}`;
  });
}

/**
 * The 14 values of one line as somebody typed it, without its number; blanks and hyphens do not count. Fails as
 * `wrong-key` with the number of the line and what is wrong with it; no message holds what was typed, but for a letter
 * that is in no paper.
 */
export function parsePaperLine(line: number, typed: string): readonly number[] {
  const letters = Array.from(typed.replaceAll(/[\s-]/g, ''));
  const stranger = letters.find((letter) => valueOf(letter) === undefined);
  if (stranger !== undefined) throw wrongLine(line, `${JSON.stringify(stranger)} is in it, wanted digits and letters without U`);
  if (letters.length !== LINE_LETTERS) throw wrongLine(line, `it has ${letters.length} letters, wanted ${LINE_LETTERS}: three groups of four and one of two`);
  const values = letters.map((letter) => valueOf(letter) as number);
  if (!isWhole(line, values)) throw wrongLine(line, 'a letter in it is wrong, two have changed places, or it is another line of the paper');
  return values;
}

/** The seed that all lines together are. Fails as `wrong-key` when lines are of different papers, `unsupported-version`. */
export function joinPaperLines(lines: readonly (readonly number[])[]): Uint8Array {
  const digits = fromValues(lines.flatMap((values) => values.slice(0, DATA_LETTERS)));
  const seed = Buffer.from(digits.slice(1, -10), 'hex');
  if (digits.slice(-10) !== checkOf(seed, digits.slice(0, 1))) {
    throw new HoldfastError('wrong-key', 'Each line of the paper is whole, and together they are no secret: they come from different papers.', { nextStep: 'Type all five lines from one paper: its fingerprint is printed below them.' });
  }
  if (digits.startsWith(VERSION)) return seed;
  throw new HoldfastError('unsupported-version', `The paper has version ${Number.parseInt(digits.slice(0, 1), 16)}; this Holdfast reads version ${VERSION}.`, { nextStep: 'Install the Holdfast version that made this paper, or a newer one.' });
}

/**
 * Reads a text with the five lines, each beginning with its number and a colon; everything else in it is passed over, so
 * that the whole page may be there. Five lines without numbers are taken in their order. Fails as the two above, naming each line that is wrong, missing or there twice.
 */
export function parsePaper(text: string): Uint8Array {
  const found = foundLines(text);
  const numbers = Array.from({ length: PAPER_LINES }, (_, index) => index + 1);
  const complaints: string[] = [];
  const lines = numbers.map((line) => {
    const [typed, again] = found.filter((row) => row.line === line).map((row) => row.typed);
    try {
      if (typed === undefined) throw wrongLine(line, 'it is missing');
      if (again !== undefined) throw wrongLine(line, 'it is there twice');
      return parsePaperLine(line, typed);
    } catch (error) {
      complaints.push((error as HoldfastError).message);
      return [];
    }
  });
  if (complaints.length > 0) throw new HoldfastError('wrong-key', complaints.join(' '), { nextStep: NEXT_STEP });
  return joinPaperLines(lines);
}

interface FoundLine {
  readonly line: number;
  readonly typed: string;
}

function foundLines(text: string): FoundLine[] {
  const rows = text.split(/\r?\n/).filter((row) => row.trim() !== '');
  const found = rows.flatMap((row): FoundLine[] => {
    const [, number, typed] = LINE.exec(row) ?? [];
    return typed === undefined ? [] : [{ line: Number(number), typed }];
  });
  if (found.length > 0) return found;
  if (rows.length === PAPER_LINES) return rows.map((typed, index) => ({ line: index + 1, typed }));
  throw new HoldfastError('wrong-key', `No line begins with its number and a colon, and there are ${rows.length} lines, wanted ${PAPER_LINES}.`, { nextStep: 'Type the five lines of the paper one below the other, as `1: XXXX XXXX XXXX XX` or without the numbers.' });
}

const NEXT_STEP = 'Compare with the paper, letter by letter; 0 is a zero, and there are no letters I, L, O, U on it.';

function wrongLine(line: number, complaint: string): HoldfastError {
  return new HoldfastError('wrong-key', `Line ${line} of the paper is not right: ${complaint}.`, { nextStep: NEXT_STEP, data: { line } });
}

/** 40 bits over all, as 10 hexadecimal digits: lines that are right by themselves and do not belong together. */
function checkOf(seed: Uint8Array, version = VERSION): string {
  return createHash('sha256').update(`holdfast/1 paper\0${version}`).update(seed).digest('hex').slice(0, 10);
}
