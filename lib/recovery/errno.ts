/** `ENOENT` and the like, of whatever was thrown. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

const WORDS: Readonly<Record<string, string>> = {
  EEXIST: 'something is there already',
  ENOTDIR: 'something that is no directory stands where a directory is wanted',
  ELOOP: 'a symbolic link stands where a directory is wanted',
  EISDIR: 'a directory stands where it would go',
  ENOSPC: 'the file system is full',
  EDQUOT: 'the quota is used up',
  EACCES: 'the operating system denied access',
  EPERM: 'the operating system does not permit it',
  EROFS: 'the file system is read-only',
  ENAMETOOLONG: 'the file system does not take names of that length',
  EINVAL: 'the file system does not take it',
  ENOSYS: 'the file system does not have it',
  EOPNOTSUPP: 'the file system does not have it',
  ENOENT: 'the directory went away while restoring',
};

/** One phrase for reports. */
export function errnoWords(errno: string | undefined, error?: unknown): string {
  return WORDS[errno ?? ''] ?? (error instanceof Error ? withoutPaths(error) : (errno ?? 'an unknown error'));
}

/** Going on would fail the same way for every entry. */
export function isFatal(errno: string | undefined): boolean {
  return errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EROFS' || errno === 'EMFILE';
}

/** Node writes `EMLINK: too many links, link '/proc/7/fd/9/.holdfast-…'`; the report names the entry itself. */
function withoutPaths(error: Error): string {
  return 'syscall' in error ? (error.message.split(', ')[0] as string) : error.message;
}
