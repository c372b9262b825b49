import { HoldfastError } from '../model/errors.ts';

/** One member as its header has it. */
export interface TarMember {
  /** Bytes as latin1; not checked for where it leads. */
  readonly name: string;
  /** `0` file, `5` directory, `2` symbolic link, … */
  readonly type: string;
  readonly size: number;
  readonly mode: number;
  readonly linkName: string;
}

/** Told in the order of the archive: a member, its bytes in pieces, its end. */
export interface TarVisitor {
  member(member: TarMember): void;
  data(bytes: Uint8Array): void;
  memberEnd(): void;
}

const BLOCK = 512;
/** The end is two blocks of zeros. */
const END_BLOCKS = 2;

/**
 * Walks a ustar archive that arrives in pieces of any size and keeps at most one block of it. Fails as `damaged` where
 * the bytes are no archive, and at `end` unless they ended with the end of one.
 */
export class TarReader {
  readonly #visitor: TarVisitor;
  readonly #header = Buffer.alloc(BLOCK);
  #headerBytes = 0;
  #current: TarMember | undefined;
  #left = 0;
  #padding = 0;
  #zeroBlocks = 0;
  #position = 0;

  constructor(visitor: TarVisitor) {
    this.#visitor = visitor;
  }

  add(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const used = this.#left > 0 ? this.#content(bytes, at) : this.#padding > 0 ? this.#skip(bytes, at) : this.#collect(bytes, at);
      at += used;
      this.#position += used;
    }
  }

  /** Call when no more comes. */
  end(): void {
    if (this.#current !== undefined) throw this.#damaged(`ends in the middle of ${quoted(this.#current.name)}, ${this.#left + this.#padding} bytes before its end`);
    if (this.#zeroBlocks < END_BLOCKS || this.#headerBytes > 0) throw this.#damaged('ends without the two blocks of zeros that end an archive');
  }

  #content(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + this.#left);
    this.#visitor.data(part);
    this.#left -= part.length;
    if (this.#left === 0) this.#endOfContent();
    return part.length;
  }

  #skip(bytes: Uint8Array, at: number): number {
    const used = Math.min(this.#padding, bytes.length - at);
    this.#padding -= used;
    if (this.#padding === 0) this.#current = undefined;
    return used;
  }

  #endOfContent(): void {
    this.#visitor.memberEnd();
    if (this.#padding === 0) this.#current = undefined;
  }

  #collect(bytes: Uint8Array, at: number): number {
    const part = bytes.subarray(at, at + BLOCK - this.#headerBytes);
    this.#header.set(part, this.#headerBytes);
    this.#headerBytes += part.length;
    if (this.#headerBytes === BLOCK) {
      this.#headerBytes = 0;
      this.#begin();
    }
    return part.length;
  }

  #begin(): void {
    if (this.#header.every((byte) => byte === 0)) return void this.#zeroBlocks++;
    if (this.#zeroBlocks > 0) throw this.#damaged('goes on after its end');
    const member = this.#parse();
    this.#current = member;
    this.#left = member.size;
    this.#padding = (BLOCK - (member.size % BLOCK)) % BLOCK;
    this.#visitor.member(member);
    if (member.size === 0) this.#endOfContent();
  }

  #parse(): TarMember {
    const header = this.#header;
    const sum = header.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 32 : byte), 0);
    if (sum !== this.#number(148, 8)) throw this.#damaged('holds a header with a wrong checksum');
    const prefix = header.toString('latin1', 257, 262) === 'ustar' ? this.#text(345, 155) : '';
    const name = this.#text(0, 100);
    return { name: prefix === '' ? name : `${prefix}/${name}`, type: header.toString('latin1', 156, 157).replace('\0', '0'), size: this.#number(124, 12), mode: this.#number(100, 8), linkName: this.#text(157, 100) };
  }

  #text(at: number, length: number): string {
    const text = this.#header.toString('latin1', at, at + length);
    const end = text.indexOf('\0');
    return end < 0 ? text : text.slice(0, end);
  }

  /** Octal digits, or base 256 where the highest bit is set. */
  #number(at: number, length: number): number {
    const field = this.#header.subarray(at, at + length);
    const isBinary = ((field[0] as number) & 0x80) !== 0;
    const digits = this.#text(at, length).trim();
    const value = isBinary ? field.reduce((total, byte, index) => total * 256 + (index === 0 ? byte & 0x7f : byte), 0) : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
    if (Number.isSafeInteger(value)) return value;
    throw this.#damaged('holds a header with a number that is none');
  }

  #damaged(complaint: string): HoldfastError {
    return new HoldfastError('damaged', `The tar archive ${complaint} (at byte ${this.#position}).`, { nextStep: 'Run `holdfast verify --level full` to see whether the vault is damaged.' });
  }
}

function quoted(name: string): string {
  return JSON.stringify(Buffer.from(name, 'latin1').toString('utf8'));
}
