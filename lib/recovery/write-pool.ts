import { OrderedThread, idlest, ownedBuffers } from './ordered-thread.ts';
import { runWriteJob } from './write-files.ts';
import type { WriteSettings } from './write-files.ts';
import { packJob } from './write-job.ts';
import type { WriteJob, WriteResult } from './write-job.ts';

export interface WritePool {
  /** Jobs worth having under way at once: one being written and one ready for each thread. */
  readonly capacity: number;
  run(job: WriteJob): Promise<WriteResult>;
  close(): Promise<void>;
}

/** Without threads: for small restores, and where no worker file is at hand. */
export function inlinePool(settings: WriteSettings): WritePool {
  return { capacity: 1, run: async (job) => runWriteJob(job, settings), close: async () => {} };
}

export function threadPool(workerUrl: URL | string, threads: number, settings: WriteSettings): WritePool {
  const members = Array.from({ length: threads }, () => new OrderedThread<WriteResult>(workerUrl, settings));
  return {
    capacity: threads * 2,
    run: (job) => {
      const packed = packJob(job);
      const columns = [packed.frames.buffer, packed.digests.buffer, packed.chunkLengths.buffer, packed.writes.buffer] as ArrayBuffer[];
      return idlest(members).ask(packed, [...columns, ...ownedBuffers(job.bytes)]);
    },
    close: async () => void (await Promise.all(members.map((member) => member.close()))),
  };
}
