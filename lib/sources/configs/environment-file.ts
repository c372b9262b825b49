import type { OpenObject } from '../source.ts';

/** Larger is no environment file; it is kept and not looked at. */
const MOST_BYTES = 1 << 20;
/** `NAME=value`, with `export` in front or not; a comment; nothing. */
const FINE = /^\s*(?:#.*|(?:export\s+)?[A-Za-z_][A-Za-z0-9_.-]*\s*=.*)?$/;
const SHOWN = 5;

/** Tells the numbers of lines that no program would take for assignments, and never what stands in them. */
export function withEnvironmentChecked(object: OpenObject): OpenObject {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  async function* body(): AsyncGenerator<Uint8Array> {
    for await (const piece of object.body) {
      bytes += piece.length;
      if (bytes <= MOST_BYTES) pieces.push(piece);
      yield piece;
    }
  }
  const { attributes, extended, size, isRacy } = object;
  return {
    attributes, extended, size, isRacy, body: body(), discard: () => object.discard(),
    get warnings() {
      return bytes > MOST_BYTES ? ['it is larger than 1 MiB and was not read as an environment file'] : complaints(Buffer.concat(pieces).toString('utf8'));
    },
  };
}

function complaints(text: string): string[] {
  const odd = oddLines(text);
  if (odd.length === 0) return [];
  const shown = odd.slice(0, SHOWN).join(', ');
  return [`${odd.length === 1 ? 'line' : 'lines'} ${shown}${odd.length > SHOWN ? ` and ${odd.length - SHOWN} more` : ''}: no assignment (NAME=value); the file is kept as it is`];
}

/** Values in quotes may go over several lines. */
function oddLines(text: string): number[] {
  const odd: number[] = [];
  let quote: string | undefined;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (quote === undefined) {
      if (!FINE.test(line)) odd.push(index + 1);
      const opened = /=\s*(["'])/.exec(line.trimStart().startsWith('#') ? '' : line);
      if (opened && !isClosed(line.slice(opened.index + opened[0].length), opened[1] as string)) quote = opened[1];
    } else if (isClosed(line, quote)) {
      quote = undefined;
    }
  }
  return odd;
}

function isClosed(text: string, quote: string): boolean {
  return text.replaceAll(/\\./g, '').includes(quote);
}
