export const TAR_TYPE = { file: '0', hardLink: '1', symlink: '2', characterDevice: '3', blockDevice: '4', directory: '5', fifo: '6', extended: 'x' } as const;
export type TarType = (typeof TAR_TYPE)[keyof typeof TAR_TYPE];

export const BLOCK_BYTES = 512;
/** Twenty blocks, as tar writes to tapes: some readers complain about archives that end elsewhere. */
const RECORD_BYTES = 20 * BLOCK_BYTES;

export interface HeaderFields {
  readonly type: TarType;
  readonly name: Uint8Array;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly linkName: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** One ustar block. Owners stand as numbers alone: what they are called belongs to the machine that was backed up. */
export function headerBlock({ type, name, size, mode, uid, gid, mtime, linkName, device }: HeaderFields): Uint8Array {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.set(name, 0);
  number(block, 100, 8, mode);
  number(block, 108, 8, uid);
  number(block, 116, 8, gid);
  number(block, 124, 12, size);
  number(block, 136, 12, mtime);
  block.write('        ', 148, 'latin1');
  block.write(type, 156, 'latin1');
  block.set(linkName, 157);
  block.write('ustar\x0000', 257, 'latin1');
  number(block, 329, 8, device?.major ?? 0);
  number(block, 337, 8, device?.minor ?? 0);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Octal digits with a zero at the end; numbers of devices beyond that as GNU tar writes them, in base 256. */
function number(block: Buffer, at: number, width: number, value: number): void {
  const digits = value.toString(8).padStart(width - 1, '0');
  if (digits.length < width) return void block.write(`${digits}\0`, at, 'latin1');
  block.writeBigUInt64BE((1n << 63n) | BigInt(value), at + width - 8);
}

/** Zeros that fill the last block of `size` bytes. */
export function padding(size: number): Uint8Array {
  return new Uint8Array((BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES);
}

export function padded(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([bytes, padding(bytes.length)]);
}

/** Two blocks of zeros, and as many as fill the record, behind `archiveBytes`. */
export function endOfArchive(archiveBytes: number): Uint8Array {
  const end = archiveBytes + 2 * BLOCK_BYTES;
  return new Uint8Array(2 * BLOCK_BYTES + ((RECORD_BYTES - (end % RECORD_BYTES)) % RECORD_BYTES));
}
