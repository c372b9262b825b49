/**
 * File names are bytes, not UTF-8 text. Inside Holdfast a name is a *byte string*: a JavaScript string in which every
 * character stands for one byte (latin1), so that comparison is byte order and nothing is lost.
 */
export type ByteString = string & { readonly __bytes: true };

// oxlint-disable-next-line no-control-regex -- the range is the point: plain ASCII needs no conversion
const ASCII = /^[\x00-\x7f]*$/;

export function byteString(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice() as ByteString;
}

export function fromText(text: string): ByteString {
  return (ASCII.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')) as ByteString;
}

export function toBytes(name: ByteString): Buffer {
  return Buffer.from(name, 'latin1');
}

/**
 * For people: UTF-8 where it is valid, `\xNN` for bytes that are not, a backslash doubled. Control characters and those
 * that turn the direction of writing are escaped: a terminal must not be steered, nor a name read backwards.
 */
export function display(name: ByteString): string {
  const text = ASCII.test(name) ? name : decodeUtf8(name);
  return text === undefined ? name.replace(STEERING_BYTES, escaped) : text.replace(STEERING, escaped);
}

/** Text of ours that may quote what somebody wrote into a vault, for a terminal: its line ends and tabs stay, nothing else steers. */
export function unsteered(text: string): string {
  return text.replace(STEERING, (character) => ('\n\t\\'.includes(character) ? character : escaped(character)));
}

// oxlint-disable-next-line no-control-regex -- terminals must not be steered by file names
const STEERING = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\\]/g;
// oxlint-disable-next-line no-control-regex -- the same, where no byte beyond ASCII is a letter
const STEERING_BYTES = /[\x00-\x1f\x7f-\xff\\]/g;

function escaped(character: string): string {
  if (character === '\\') return '\\\\';
  const code = character.charCodeAt(0);
  return code > 0xff ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
}

/** Undefined when it is no UTF-8; a leading byte order mark is part of a name. */
function decodeUtf8(name: ByteString): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(toBytes(name));
  } catch {
    return undefined;
  }
}

/** What `node:fs` takes: ASCII as it is (fast), everything else as bytes. */
export function fsPath(path: ByteString): string | Buffer {
  return ASCII.test(path) ? path : Buffer.from(path, 'latin1');
}
