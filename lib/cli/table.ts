import { stripVTControlCharacters } from 'node:util';

export interface Column {
  readonly head: string;
  readonly align?: 'left' | 'right';
}

const GAP = '  ';

/**
 * Columns aligned by what they show on a terminal, without lines: easy to read and to grep. Our own because the table
 * library took a quarter of a second for a thousand rows, more than all the rest of `holdfast list`.
 */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[], paintHead: (text: string) => string = (text) => text): string[] {
  const all = [columns.map(({ head }) => paintHead(head)), ...rows];
  const widths = columns.map((_, column) => all.reduce((widest, row) => Math.max(widest, widthOf(row[column] ?? '')), 0));
  return all.map((row) => row.map((cell, column) => padded(cell, widths[column] ?? 0, columns[column]?.align)).join(GAP).trimEnd());
}

/** `name   value` lines. */
export function pairLines(pairs: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${name.padEnd(width)}${GAP}${value}`.trimEnd());
}

function padded(cell: string, width: number, align: Column['align'] = 'left'): string {
  const blanks = ' '.repeat(Math.max(0, width - widthOf(cell)));
  return align === 'left' ? cell + blanks : blanks + cell;
}

/** Printable ASCII: nearly every cell, and its width is its length. */
const PLAIN = /^[\x20-\x7e]*$/;
const WIDE = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Emoji_Presentation}\uff01-\uff60]/u;
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Cells of a terminal: letters of East Asian scripts and pictures take two, combining marks none. */
function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const letter of stripVTControlCharacters(text)) width += WITHOUT_WIDTH.test(letter) ? 0 : WIDE.test(letter) ? 2 : 1;
  return width;
}
