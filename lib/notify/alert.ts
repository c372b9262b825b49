import * as z from 'zod';

/**
 * What is told to people; the slice of a catalogued alert that a message shows. `notice`: told once and not kept open,
 * such as a restore that went well.
 */
export const alert = z.object({
  alertId: z.string().min(1),
  kind: z.string(),
  severity: z.enum(['critical', 'high', 'medium', 'low', 'info']),
  state: z.enum(['open', 'resolved', 'notice']),
  /** One line. */
  title: z.string(),
  message: z.string(),
  nextStep: z.string(),
  planName: z.string().optional(),
  runId: z.string().optional(),
  /** Milliseconds since the epoch. */
  openedAt: z.number(),
  resolvedAt: z.number().optional(),
});

export type Alert = Readonly<z.infer<typeof alert>>;
