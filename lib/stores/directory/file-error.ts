import { HoldfastError, isHoldfastError, type ErrorCode } from '../../model/errors.ts';

interface Meaning {
  readonly code: ErrorCode;
  readonly says: string;
  readonly nextStep: string;
  readonly retryable?: boolean;
}

const FULL: Meaning = { code: 'no-space', says: 'the disk or the quota is full', nextStep: 'Free space or raise the quota, then run the same command again: nothing that was stored is lost.' };
const DENIED: Meaning = { code: 'permission', says: 'the operating system denied access', nextStep: 'Check owner, mode and mount options of that path, and which user runs Holdfast.' };
const READ_ONLY: Meaning = { code: 'read-only', says: 'it is on a read-only file system', nextStep: 'Mount it for writing, or name another vault. `list`, `restore`, `verify` and `prune --dry-run` work as it is.' };
const UNABLE: Meaning = { code: 'unsupported', says: 'the file system lacks an ability that a vault needs', nextStep: 'Keep the vault on a local Linux file system (ext4, xfs, btrfs, zfs) or on NFS.' };
const AWAY: Meaning = { code: 'unavailable', says: 'the file system does not answer', nextStep: 'Check that the disk or share of the vault is mounted.' };
const CROWDED: Meaning = { code: 'unavailable', says: 'too many files are open', nextStep: 'Raise the limit of open files (`ulimit -n`).' };
/** Retryable, because a share that answers again says the same of a break; what remains after retries is a bad sector. */
const UNREADABLE: Meaning = { code: 'damaged', says: 'the disk cannot read the bytes back', nextStep: 'Check the health of the disk (smartctl, the system log).', retryable: true };
const NO_OBJECT: Meaning = { code: 'damaged', says: 'it is not a plain file below plain folders', nextStep: 'Nobody but Holdfast may change a vault. Move the symbolic link or special file away; to spread a vault over disks use a bind mount.' };

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: READ_ONLY,
  EINVAL: UNABLE,
  ENOSYS: UNABLE,
  ENOTSUP: UNABLE,
  EOPNOTSUPP: UNABLE,
  ENAMETOOLONG: UNABLE,
  EXDEV: UNABLE,
  ELOOP: NO_OBJECT,
  ENOTDIR: NO_OBJECT,
  ENXIO: NO_OBJECT,
  EMFILE: CROWDED,
  ENFILE: CROWDED,
  ENOENT: AWAY,
  ESTALE: AWAY,
  EIO: AWAY,
  EAGAIN: AWAY,
  EBUSY: AWAY,
  ETIMEDOUT: AWAY,
  ENOTCONN: AWAY,
  EHOSTDOWN: AWAY,
};
const UNKNOWN: Meaning = { code: 'unavailable', says: 'the file system answered in an unexpected way', nextStep: 'Look at the system log for errors of that disk.', retryable: false };

/** The errno name of a failed system call, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && !isHoldfastError(error) ? code : undefined;
}

/** What was going on: how many bytes wanted room, or that an object was being read. */
export interface FileErrorContext {
  readonly bytesNeeded?: number;
  readonly reading?: boolean;
}

/** Translates a failed system call at the door; `what` says what was done to which path. Our own errors pass. */
export function fileError(error: unknown, what: string, { bytesNeeded, reading = false }: FileErrorContext = {}): unknown {
  if (isHoldfastError(error)) return error;
  const errno = errnoOf(error);
  const meaning = reading && errno === 'EIO' ? UNREADABLE : (MEANINGS[errno ?? ''] ?? UNKNOWN);
  const needed = meaning.code === 'no-space' && bytesNeeded !== undefined ? `, ${bytesNeeded} bytes are needed` : '';
  return new HoldfastError(meaning.code, `cannot ${what}: ${meaning.says}${needed} (${errno ?? String(error)})`, {
    nextStep: meaning.nextStep,
    cause: error,
    data: { errno, bytesNeeded },
    ...(meaning.retryable === undefined ? {} : { retryable: meaning.retryable }),
  });
}
