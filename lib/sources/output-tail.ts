import { byteString, display, fromText } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';

/**
 * The last bytes of what a producer said on its standard error, for messages: secrets are replaced before anything is
 * kept, also where a secret arrives in two pieces; control characters are escaped; lines are joined.
 */
export class OutputTail {
  readonly #limit: number;
  readonly #secrets: readonly string[];
  /** A secret that began here may be completed by the next piece. */
  readonly #heldBack: number;
  #pending = '';
  #tail = '';

  constructor(secrets: readonly string[], limit = 4096) {
    this.#limit = limit;
    this.#secrets = searched(secrets);
    this.#heldBack = Math.max(0, (this.#secrets[0]?.length ?? 0) - 1);
  }

  add(bytes: Uint8Array): void {
    const text = redact(this.#pending + byteString(bytes), this.#secrets);
    const end = Math.max(0, text.length - this.#heldBack);
    this.#tail = (this.#tail + text.slice(0, end)).slice(-this.#limit);
    this.#pending = text.slice(end);
  }

  /** One line, or nothing when nothing was said. */
  text(): string {
    const lines = (this.#tail + this.#pending).slice(-this.#limit).split(/[\r\n]+/);
    return lines.map((line) => display(line.replaceAll('\t', ' ') as ByteString).trim()).filter((line) => line !== '').join(' | ');
  }
}

/** For descriptions and command lines. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return Buffer.from(redact(fromText(text), searched(secrets)), 'latin1').toString('utf8');
}

/** As byte strings, the longest first: one secret may contain another. */
function searched(secrets: readonly string[]): readonly string[] {
  return secrets.filter((secret) => secret !== '').map((secret) => fromText(secret)).sort((left, right) => right.length - left.length);
}

function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((clean, secret) => clean.replaceAll(secret, '***'), text);
}
