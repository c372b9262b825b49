import { realFileOps, type FileOps } from '../../lib/stores/directory/file-ops.ts';

/** An error as `node:fs` throws it. */
export function systemError(errno: string): Error {
  return Object.assign(new Error(`${errno}: as the test says`), { code: errno });
}

/** The real file operations with some replaced. */
export function fileOpsWith(replaced: Partial<FileOps>): FileOps {
  return { ...realFileOps, ...replaced };
}

/** A file system without hard links, such as exFAT. */
export function withoutLinks(fileOps: FileOps = realFileOps): FileOps {
  return {
    ...fileOps,
    link: async () => {
      throw systemError('ENOTSUP');
    },
  };
}
