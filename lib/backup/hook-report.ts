/** `quiesce` and `resume` are around the reading of a set. */
export type HookName = 'before' | 'after' | 'on-failure' | 'quiesce' | 'resume';

/** What became of one command around a run; for the log. Holds no secret. */
export interface HookReport {
  readonly hook: HookName;
  readonly command: string;
  readonly durationMilliseconds: number;
  /** Absent: it ended with exit code 0. */
  readonly complaint?: string;
  /** The last of what it wrote to standard output and error, in one line; empty when it said nothing. */
  readonly said: string;
}

/** `The command \`x\` before the run ended with exit code 3, wanted 0. It said: …` */
export function hookInWords({ hook, command, durationMilliseconds, complaint, said }: HookReport): string {
  const when = { before: 'before the run', after: 'after the run', 'on-failure': 'for a failed run', quiesce: 'before the parts were read', resume: 'after the parts were read' }[hook];
  const end = complaint ?? `ended with exit code 0 after ${(durationMilliseconds / 1000).toFixed(1)} s`;
  return `The command \`${command}\` ${when} ${end}.${said === '' ? '' : ` It said: ${said}`}`;
}
