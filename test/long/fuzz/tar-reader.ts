/** What a reader of tar archives sees of one member: by POSIX (pax), with GNU's sparse files and numbers in base 256. */
export interface SeenMember {
  readonly type: string;
  /** Bytes as latin1. */
  readonly name: string;
  readonly linkName: string;
  /** Of the content as the reader gives it; a sparse file's holes filled. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: string;
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

/** Bytes of an archive, or so many whose value does not matter. */
export type Piece = Uint8Array | number;

const BLOCK = 512;

/** Reads headers by its own hand; throws where they are not such, or where a header would lie in what is content. */
export function readMembers(pieces: readonly Piece[]): SeenMember[] {
  const tape = new Tape(pieces);
  const members: SeenMember[] = [];
  while (!tape.isAtEnd) {
    let block = tape.read(BLOCK);
    let records = new Map<string, Buffer>();
    if (typeOf(block) === 'x') {
      records = recordsIn(tape.read(padded(numberAt(block, 124, 12))).subarray(0, numberAt(block, 124, 12)));
      block = tape.read(BLOCK);
    }
    const stored = numberOf(records, 'size') ?? numberAt(block, 124, 12);
    members.push(memberIn(block, records, stored));
    // Only files are followed by content.
    if (typeOf(block) === '0') tape.skip(padded(stored));
  }
  return members;
}

function memberIn(block: Buffer, records: ReadonlyMap<string, Buffer>, stored: number): SeenMember {
  const text = (key: string) => records.get(key)?.toString('latin1');
  const xattrs = new Map([...records].filter(([key]) => key.startsWith('SCHILY.xattr.')).map(([key, value]) => [key.slice('SCHILY.xattr.'.length).replaceAll('%3D', '=').replaceAll('%25', '%'), value]));
  return {
    type: typeOf(block), name: text('GNU.sparse.name') ?? text('path') ?? textAt(block, 0), linkName: text('linkpath') ?? textAt(block, 157), size: numberOf(records, 'GNU.sparse.realsize') ?? stored,
    mode: numberAt(block, 100, 8), uid: numberOf(records, 'uid') ?? numberAt(block, 108, 8), gid: numberOf(records, 'gid') ?? numberAt(block, 116, 8), mtime: text('mtime') ?? String(numberAt(block, 136, 12)), xattrs,
  };
}

function typeOf(block: Buffer): string {
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  if (block.toString('latin1', 257, 262) !== 'ustar' || Number.parseInt(block.toString('latin1', 148, 154), 8) !== sum) throw new Error(`no header stands where one must be: ${block.toString('hex')}`);
  return block.toString('latin1', 156, 157);
}

function textAt(block: Buffer, at: number): string {
  const field = block.toString('latin1', at, at + 100);
  return field.includes('\0') ? field.slice(0, field.indexOf('\0')) : field;
}

function numberAt(block: Buffer, at: number, width: number): number {
  if (block[at] === 0x80) return Number(block.readBigUInt64BE(at + width - 8) & ((1n << 63n) - 1n));
  const digits = block.toString('latin1', at, at + width).replace(/[\0 ]+$/, '');
  if (!/^[0-7]+$/.test(digits)) throw new Error(`${JSON.stringify(digits)} is no number of a header`);
  return Number.parseInt(digits, 8);
}

function numberOf(records: ReadonlyMap<string, Buffer>, key: string): number | undefined {
  const value = records.get(key)?.toString('latin1');
  if (value === undefined) return undefined;
  if (!/^\d+$/.test(value)) throw new Error(`${key} is ${JSON.stringify(value)}, and no number`);
  return Number(value);
}

function recordsIn(body: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let rest = body; rest.length > 0; ) {
    const digits = rest.toString('latin1', 0, rest.indexOf(0x20));
    const length = Number(digits);
    if (!/^[1-9]\d*$/.test(digits) || rest[length - 1] !== 0x0a) throw new Error(`the extended header holds no record at ${rest.toString('hex', 0, 40)}`);
    const equals = rest.indexOf(0x3d);
    records.set(rest.toString('latin1', digits.length + 1, equals), rest.subarray(equals + 1, length - 1));
    rest = rest.subarray(length);
  }
  return records;
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** An archive that goes by once. */
class Tape {
  readonly #pieces: Piece[];

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces.filter((piece) => lengthOf(piece) > 0).toReversed();
  }

  get isAtEnd(): boolean {
    return this.#pieces.length === 0;
  }

  read(size: number): Buffer {
    const read: Uint8Array[] = [];
    for (let left = size; left > 0; ) {
      const piece = this.#pieces.pop();
      if (piece === undefined || typeof piece === 'number') throw new Error(`${left} bytes of a header are ${piece === undefined ? 'behind the end' : 'content'}`);
      read.push(piece.subarray(0, left));
      if (piece.length > left) this.#pieces.push(piece.subarray(left));
      left -= Math.min(left, piece.length);
    }
    return Buffer.concat(read);
  }

  skip(size: number): void {
    for (let left = size; left > 0; ) {
      const piece = this.#pieces.pop();
      if (piece === undefined) throw new Error(`${left} bytes of content are behind the end`);
      const length = lengthOf(piece);
      if (length > left) this.#pieces.push(typeof piece === 'number' ? piece - left : piece.subarray(left));
      left -= Math.min(left, length);
    }
  }
}

function lengthOf(piece: Piece): number {
  return typeof piece === 'number' ? piece : piece.length;
}
