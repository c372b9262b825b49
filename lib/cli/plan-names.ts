import { resolve } from 'node:path';
import type { CommandContext } from './command.ts';

/** What a plan may be called in the catalog of this machine: its name, a path that was backed up, the name of a stream; as in `latest:PLAN`. */
export function planNames(plan: string, { surroundings }: CommandContext): readonly string[] {
  return [plan, resolve(surroundings.workingFolder, plan), `command:${plan}`, `stdin:${plan}`];
}
