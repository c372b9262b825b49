import { display } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { comparePaths } from '../model/path-order.ts';
import type { LogGroup, LogGroups } from './logs/log-groups.ts';
import { findLogFiles } from './logs/log-files.ts';
import { windowObject } from './logs/window-object.ts';
import { windowsOf } from './logs/windows.ts';
import type { WindowOptions } from './logs/windows.ts';
import type { ObjectSource, ObjectsProof, SourceObject } from './source.ts';

export interface LogsOptions extends WindowOptions {
  /** Directories and files, absolute. */
  readonly paths: readonly string[];
  /** Of files; patterns as of trees. */
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly groups: LogGroups;
  /** Names of log groups, or what they begin with and a `*`. */
  readonly wanted: readonly string[];
  readonly parallel: number;
  readonly clock: Clock;
}

/** Log files by the time they were written, and events of log groups by the time they happened, in one range that ends now (S9). */
export class LogsSource implements ObjectSource {
  readonly shape = 'objects';
  readonly type = 'logs';
  readonly description: string;
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly parallel: number;
  readonly #options: LogsOptions;

  constructor(options: LogsOptions) {
    const { paths, wanted, include = [], exclude = [], parallel } = options;
    this.#options = options;
    this.description = [...paths, ...wanted.map((name) => `log group ${name}`)].join(', ');
    this.include = include.length === 0 ? [] : [...include.map(ofFiles), 'log-groups/**'];
    this.exclude = exclude.map(ofFiles);
    this.parallel = parallel;
  }

  async check(): Promise<void> {
    const { paths, clock } = this.#options;
    await findLogFiles(paths, clock.now(), clock);
    await this.#groups(new AbortController().signal);
  }

  async *objects(signal: AbortSignal): AsyncGenerator<SourceObject, ObjectsProof> {
    const { paths, groups, wanted, rangeMs, lateMs, clock } = this.#options;
    const now = clock.now();
    const files = await findLogFiles(paths, now - rangeMs, clock);
    const objects = [...files.objects];
    const told = new Set<string>();
    const onLost = (group: LogGroup) => {
      if (told.has(group.name)) return undefined;
      told.add(group.name);
      return lost(group);
    };
    for (const group of await this.#groups(signal)) for (const window of windowsOf(group, this.#options, now)) objects.push(windowObject(group, window, { groups, lateMs, clock, signal, onLost }));
    objects.sort((a, b) => comparePaths(a.path, b.path));
    refuseTwins(objects);
    yield* objects;
    const since = new Date(now - rangeMs).toISOString();
    return {
      evidence: [...(paths.length > 0 ? [`${files.objects.length} files that were written since ${since}, ${files.older} older ones left out`] : []), ...(wanted.length > 0 ? [`${objects.length - files.objects.length} windows of log groups, each to the end that the service told`] : [])],
      facts: { 'logs-since': since, 'logs-until': new Date(now).toISOString() },
      warnings: files.warnings,
    };
  }

  /** A wrong name looks like an empty answer, and a backup of nothing protects nobody. */
  async #groups(signal: AbortSignal): Promise<LogGroup[]> {
    const found = new Map<string, LogGroup>();
    for (const name of this.#options.wanted) {
      const groups = await Array.fromAsync(this.#options.groups.list(name, signal));
      if (groups.length === 0) throw new HoldfastError('source-failed', `No log group is named ${name} in this account and region.`, { nextStep: 'Check the name and `region`. Nothing of this run is kept.' });
      for (const group of groups) found.set(group.name, group);
    }
    return [...found.values()];
  }
}

/** Windows are named by this source; no pattern is about them. */
function ofFiles(pattern: string): string {
  const clean = pattern.replace(/^\.?\//, '').replace(/\/$/, '');
  return clean.includes('/') || pattern.startsWith('/') ? `files/${clean}` : `files/**/${clean}`;
}

/** `/a` and `a` are two groups. */
function refuseTwins(objects: readonly SourceObject[]): void {
  const twin = objects.findIndex(({ path }, index) => path === objects[index - 1]?.path);
  if (twin < 0) return;
  throw new HoldfastError('source-failed', `Two log groups would have one path in a backup, ${display(objects[twin]?.path as never)}: their names differ by a leading slash.`, { nextStep: 'Put them into two plans.' });
}

function lost({ name, retentionDays }: LogGroup): string {
  return `the log group ${name} deletes events after ${retentionDays} days, and some of the range are in no earlier backup and gone: this window and others before it may be empty or in part`;
}
