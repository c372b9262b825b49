import { HoldfastError } from '../../model/errors.ts';

/**
 * Where values lie in JSON text, without decoding them: numbers beyond 2^53, `1.10` and `1e400` stay as somebody wrote them.
 * Comments are passed over, because both servers take them in documents and give them back. Fails as `source-failed` when the
 * text ends early or is none.
 */
export interface Span {
  readonly from: number;
  readonly to: number;
}

const [QUOTE, BACKSLASH, COMMA, COLON, SLASH, STAR, NEWLINE] = [0x22, 0x5c, 0x2c, 0x3a, 0x2f, 0x2a, 0x0a] as const;
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d] as const;

/** The members of the object that begins at or behind `at`; nothing of their values is looked at but the end. */
export function membersOf(text: Buffer, at = 0): Map<string, Span> {
  const found = new Map<string, Span>();
  eachIn(text, begin(text, at, OPEN_OBJECT), CLOSE_OBJECT, (position) => {
    const key = { from: position, to: endOfString(text, position) };
    const colon = skip(text, key.to);
    if (text[colon] !== COLON) throw broken(text, colon, '":"');
    const value = valueAt(text, colon + 1);
    found.set(parsed<string>(text, key), value);
    return value.to;
  });
  return found;
}

/** The elements of the array that begins at or behind `at`. */
export function elementsOf(text: Buffer, at = 0): Span[] {
  const found: Span[] = [];
  eachIn(text, begin(text, at, OPEN_ARRAY), CLOSE_ARRAY, (position) => {
    const value = valueAt(text, position);
    found.push(value);
    return value.to;
  });
  return found;
}

export function slice(text: Buffer, { from, to }: Span): Buffer {
  return text.subarray(from, to);
}

/** Only for what this program looks into itself. */
export function parsed<T>(text: Buffer, span: Span): T {
  return JSON.parse(slice(text, span).toString('utf8')) as T;
}

/** On one line: without line ends, which stand only between tokens there, and without comments. Mostly the same bytes. */
export function oneLine(value: Buffer): Buffer {
  if (!value.includes(NEWLINE) && !value.includes(0x0d) && !value.includes(SLASH)) return value;
  const kept: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < value.length; ) {
    const byte = value[at] as number;
    if (byte === QUOTE) at = endOfString(value, at);
    else if (byte === SLASH || byte === NEWLINE || byte === 0x0d) {
      kept.push(value.subarray(from, at));
      at = byte === SLASH ? endOfComment(value, at) : at + 1;
      from = at;
    } else at++;
  }
  return kept.length === 0 ? value : Buffer.concat([...kept, value.subarray(from)]);
}

function eachIn(text: Buffer, inside: number, close: number, take: (at: number) => number): void {
  let at = skip(text, inside);
  if (text[at] === close) return;
  for (;;) {
    at = skip(text, take(at));
    if (text[at] === close) return;
    if (text[at] !== COMMA) throw broken(text, at, '","');
    at = skip(text, at + 1);
  }
}

function begin(text: Buffer, at: number, open: number): number {
  const position = skip(text, at);
  if (text[position] !== open) throw broken(text, position, JSON.stringify(String.fromCharCode(open)));
  return position + 1;
}

function valueAt(text: Buffer, at: number): Span {
  const from = skip(text, at);
  const first = text[from];
  if (first === QUOTE) return { from, to: endOfString(text, from) };
  if (first === OPEN_OBJECT || first === OPEN_ARRAY) return { from, to: endOfNested(text, from) };
  let to = from;
  while (to < text.length && IS_PLAIN[text[to] as number] === 1) to++;
  if (to === from) throw broken(text, from, 'a value');
  return { from, to };
}

/** Only brackets and quotes matter: the server that answers has parsed what is between them. */
function endOfNested(text: Buffer, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; ) {
    const byte = text[at] as number;
    if (byte === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    if (byte === SLASH) {
      at = endOfComment(text, at);
      continue;
    }
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if ((byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) && --depth === 0) return at + 1;
    at++;
  }
  throw broken(text, text.length, 'the end of a value');
}

function endOfString(text: Buffer, from: number): number {
  if (text[from] !== QUOTE) throw broken(text, from, 'a text in quotes');
  for (let at = from + 1; at < text.length; at++) {
    const byte = text[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  throw broken(text, text.length, 'the end of a text');
}

function endOfComment(text: Buffer, from: number): number {
  const isBlock = text[from + 1] === STAR;
  if (!isBlock && text[from + 1] !== SLASH) throw broken(text, from, 'a value');
  const end = text.indexOf(isBlock ? '*/' : '\n', from + 2);
  if (end === -1) throw broken(text, text.length, 'the end of a comment');
  return end + (isBlock ? 2 : 1);
}

function skip(text: Buffer, from: number): number {
  for (let at = from; ; ) {
    const byte = text[at];
    if (byte === 0x20 || byte === NEWLINE || byte === 0x0d || byte === 0x09) at++;
    else if (byte === SLASH) at = endOfComment(text, at);
    else return at;
  }
}

/** Of numbers, `true`, `false`, `null`. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => (/[\w+.-]/.test(String.fromCharCode(byte)) && byte < 128 ? 1 : 0));

function broken(text: Buffer, at: number, wanted: string): HoldfastError {
  const seen = at >= text.length ? 'its end' : JSON.stringify(text.toString('latin1', at, at + 20));
  return new HoldfastError('source-failed', `An answer of the server is no whole JSON: at byte ${at} of ${text.length} it has ${seen}, wanted ${wanted}.`, { nextStep: 'Nothing of this run is kept; start the backup again. If it comes back, look for a proxy between that cuts or changes answers.' });
}
