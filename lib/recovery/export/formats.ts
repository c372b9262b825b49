import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { Duplex } from 'node:stream';

/** One output buffer of a compressor; by default zlib hands on 16 KiB at a time. */
const OUTPUT_BYTES = 256 << 10;

export interface FormatRow {
  /** At the end of a name, the first one for names that are made. */
  readonly suffixes: readonly string[];
  readonly isArchive: boolean;
  readonly compressor?: () => Duplex;
}

/** The same bytes for the same backup: levels are fixed, and neither names nor times stand in the frames. */
export const EXPORT_FORMATS = {
  'tar.zst': { suffixes: ['.tar.zst', '.tzst'], isArchive: true, compressor: () => createZstdCompress({ chunkSize: OUTPUT_BYTES, params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 } }) },
  'tar.gz': { suffixes: ['.tar.gz', '.tgz'], isArchive: true, compressor: () => createGzip({ chunkSize: OUTPUT_BYTES, level: 6 }) },
  tar: { suffixes: ['.tar'], isArchive: true },
  raw: { suffixes: [], isArchive: false },
} as const satisfies Record<string, FormatRow>;

export type ExportFormat = keyof typeof EXPORT_FORMATS;

/** What the end of a name says; undefined when it says nothing. */
export function formatOfName(name: string): ExportFormat | undefined {
  const rows = Object.entries(EXPORT_FORMATS) as [ExportFormat, FormatRow][];
  return rows.find(([, { suffixes }]) => suffixes.some((suffix) => name.toLowerCase().endsWith(suffix)))?.[0];
}
