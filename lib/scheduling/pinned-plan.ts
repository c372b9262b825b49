import * as z from 'zod';
import type { LedgerRun } from '../catalog/ledger-records.ts';
import { invariant } from '../model/errors.ts';

/**
 * The slice of a deployed plan that scheduling decides by. A run carries the whole plan as it was when its occurrence was
 * claimed (`LedgerRun.order`), so that a deploy changes nothing under way.
 */
export interface ScheduledPlan {
  readonly name: string;
  readonly planId: string;
  readonly vault: string;
  readonly network: string;
  readonly task: TaskSize;
  readonly schedule?: Schedule;
  readonly events: readonly { readonly collapseMinutes: number }[];
  readonly policy: { readonly priority: number; readonly serviceLevel?: { readonly rtoMinutes: number; readonly rpoMinutes: number } };
  readonly freshnessHours: number;
  /** Its WAL must be kept within this; absent: nobody asked for it. */
  readonly wal?: { readonly freshnessMs: number };
  readonly startWindowMinutes: number;
  readonly maxDurationMinutes: number;
}

export interface Schedule {
  /** Five fields of cron. */
  readonly cron: string;
  /** IANA. */
  readonly timeZone: string;
  /** Starts are spread: this many minutes after the cron time. */
  readonly offsetMinutes: number;
}

export interface TaskSize {
  /** CPU units: 1024 is one virtual CPU. */
  readonly cpu: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
}

/** What a launcher and the queue need of the order of a run. */
export interface PinnedPlan extends Pick<ScheduledPlan, 'name' | 'planId' | 'vault' | 'network' | 'task'> {
  readonly policy: { readonly serviceLevel?: { readonly rpoMinutes: number } | undefined };
}

const pinned = z.object({
  name: z.string(),
  planId: z.string(),
  vault: z.string(),
  network: z.string(),
  task: z.object({ cpu: z.number(), memoryMiB: z.number(), diskGiB: z.number() }),
  policy: z.object({ serviceLevel: z.object({ rpoMinutes: z.number() }).optional() }),
});

/** The plan that a run was ordered with. Fails as `broken-invariant`: orders are written by dispatch alone. */
export function pinnedPlan(run: Pick<LedgerRun, 'runId' | 'order'>): PinnedPlan {
  const parsed = pinned.safeParse(fromJson(run.order));
  invariant(parsed.success, `the order of run ${run.runId} is not a plan`);
  return parsed.data;
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
