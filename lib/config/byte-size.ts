const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12,
  KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40,
};

/** What `parseByteSize` takes, for JSON Schema and for people. */
export const BYTE_SIZE = /^\d+(\.\d+)? ?(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)$/;
export const BYTE_SIZE_WANTED = 'a number of bytes or a size such as "500 kB", "10 MiB", "2 GB"';

/** Bytes of `500 kB` (1000), `10 MiB` (1024 x 1024); the text must match `BYTE_SIZE`. Parts of a byte are rounded up. */
export function parseByteSize(text: string): number {
  const unit = text.replace(/^[\d. ]+/, '');
  return Math.ceil(Number.parseFloat(text) * (UNITS[unit] ?? Number.NaN));
}
