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

/** For people: UTF-8 where it is valid, `\xNN` for bytes that are not, control characters escaped. */
export function display(name: ByteString): string {
  const text = ASCII.test(name) ? name : decodeUtf8(name);
  // oxlint-disable-next-line no-control-regex -- terminals must not be steered by file names
  return text.replace(/[\x00-\x1f\x7f-\x9f\\]/g, (character) => (character === '\\' ? '\\\\' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`));
}

function decodeUtf8(name: ByteString): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(toBytes(name));
  } catch {
    return name.replace(/[\x80-\xff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
  }
}

/** What `node:fs` takes: ASCII as it is (fast), everything else as bytes. */
export function fsPath(path: ByteString): string | Buffer {
  return ASCII.test(path) ? path : Buffer.from(path, 'latin1');
}
