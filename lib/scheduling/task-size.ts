import type { BackupRecord } from '../catalog/records.ts';
import { FARGATE_SIZES } from '../config/task-size.ts';
import type { TaskSize } from './pinned-plan.ts';

const GIB = 1024 ** 3;
const SMALLEST_DISK_GIB = 21;
/** Above this Fargate could, but a run is refused with the figure (design, "Worker image"). */
const LARGEST_DISK_GIB = 180;

/**
 * What earlier backups ask for: rows by the plain bytes of the largest of them. A stream needs CPU for its hash and its
 * compression in about this proportion; memory grows only with the index, which is 64 bytes a chunk.
 */
const NEEDS = [
  { upToGiB: 20, cpu: 256, memoryGiB: 0.5 },
  { upToGiB: 100, cpu: 1024, memoryGiB: 2 },
  { upToGiB: 500, cpu: 2048, memoryGiB: 4 },
  { upToGiB: 2000, cpu: 4096, memoryGiB: 8 },
  { upToGiB: Infinity, cpu: 8192, memoryGiB: 16 },
] as const;

/**
 * The size of the next task (P8): what the last backups suggest, at least what the plan says, always a combination that
 * Fargate sells. A plan that asks for what nobody sells gets the next larger one. The disk is the plan's: scratch does
 * not follow from the size of a backup, because streams never touch it.
 */
export function taskSizeFor(task: TaskSize, lastBackups: readonly Pick<BackupRecord, 'bytes'>[]): TaskSize {
  const largestGiB = Math.max(0, ...lastBackups.map((backup) => backup.bytes)) / GIB;
  const need = NEEDS.find((row) => largestGiB <= row.upToGiB) ?? NEEDS[NEEDS.length - 1];
  const wanted = lastBackups.length === 0 ? task : { cpu: Math.max(task.cpu, need?.cpu ?? 0), memoryMiB: Math.max(task.memoryMiB, (need?.memoryGiB ?? 0) * 1024) };
  return { ...fargateSize(wanted.cpu, wanted.memoryMiB), diskGiB: Math.min(LARGEST_DISK_GIB, Math.max(SMALLEST_DISK_GIB, task.diskGiB)) };
}

/** The smallest combination with at least this much; the largest there is when nothing has it. */
function fargateSize(cpu: number, memoryMiB: number): Pick<TaskSize, 'cpu' | 'memoryMiB'> {
  for (const [sold, sizes] of FARGATE_SIZES) {
    const enough = sold < cpu ? undefined : sizes.find((size) => size >= memoryMiB);
    if (enough !== undefined) return { cpu: sold, memoryMiB: enough };
  }
  return { cpu: 16384, memoryMiB: 120 * 1024 };
}
