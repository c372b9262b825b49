import type { ByteString } from '../model/byte-string.ts';
import { display } from '../model/byte-string.ts';
import { HoldfastError } from '../model/errors.ts';
import { ENTRY } from '../repository/index.ts';
import type { SnapshotEntry, SnapshotReader, TreeDamage } from '../repository/index.ts';
import { CREATE, decide } from './decision.ts';
import type { Decision, OverwritePolicy, PlannedEntry } from './decision.ts';
import { walkEntries } from './entry-walk.ts';
import { selectEntries } from './selection.ts';
import type { Selection } from './selection.ts';
import { NOT_THERE } from './target-view.ts';
import type { TargetView, ViewedFolder } from './target-view.ts';

interface Settings {
  readonly patterns?: readonly string[];
  readonly overwrite: OverwritePolicy;
  readonly deleteExtra?: boolean;
  readonly signal?: AbortSignal | undefined;
}

export interface Planned {
  /** Undefined for what is only in the target. */
  readonly entry: SnapshotEntry | undefined;
  readonly planned: PlannedEntry;
}

interface Level {
  readonly path: ByteString;
  readonly folder: ViewedFolder;
  /** Why nothing can be restored below it. */
  readonly barrier: string | undefined;
  /** Names that the backup has there; kept only when what is extra will be deleted. */
  readonly names: Set<string> | undefined;
}

/** Decides about every selected entry in order; after a directory's entries come those that only the target has. */
export async function* planEntries(reader: SnapshotReader, view: TargetView, settings: Settings, onDamage: (damage: TreeDamage) => void): AsyncGenerator<Planned> {
  const selection = selectEntries(settings.patterns ?? []);
  const pass = new PlanPass(view, selection, settings);
  try {
    for await (const batch of walkEntries(reader, selection, onDamage)) {
      throwIfInterrupted(settings.signal);
      for (const entry of batch) {
        yield* pass.leaveUntil(entry.path);
        yield pass.decide(entry);
      }
    }
    yield* pass.leaveUntil(undefined);
  } finally {
    pass.close();
  }
}

class PlanPass {
  readonly #view: TargetView;
  readonly #selection: Selection;
  readonly #settings: Settings;
  readonly #levels: Level[] = [];

  constructor(view: TargetView, selection: Selection, settings: Settings) {
    this.#view = view;
    this.#selection = selection;
    this.#settings = settings;
  }

  decide(entry: SnapshotEntry): Planned {
    const name = nameOf(entry.path);
    const decision = entry.path === '' ? this.#decideRoot(entry) : this.#decideIn(this.#parentOf(entry.path), name, entry);
    if (entry.type === ENTRY.directory) this.#enter(entry, name, decision);
    return { entry, planned: { ...decision, path: entry.path, bytes: 'size' in entry ? entry.size : 0 } };
  }

  /** Leaves the directories that do not hold `path`. */
  *leaveUntil(path: ByteString | undefined): Generator<Planned> {
    for (let level = this.#levels.at(-1); level && !(path !== undefined && holds(level.path, path)); level = this.#levels.at(-1)) {
      yield* this.#extras(level);
      this.#levels.pop();
      if (level.folder !== this.#view.root) this.#view.leave(level.folder);
    }
  }

  close(): void {
    for (const level of this.#levels.splice(0)) if (level.folder !== this.#view.root) this.#view.leave(level.folder);
  }

  #decideRoot(entry: SnapshotEntry): Decision {
    if (this.#view.state === 'absent') return CREATE;
    if (this.#view.state === 'empty') return { action: 'overwrite', reason: 'the target is an empty directory' };
    const existing = this.#view.find(this.#view.root, '.' as ByteString);
    const decision = decide(entry, existing, this.#settings.overwrite);
    // Its own mode is the choice of whoever named it.
    return decision.left === 'different' ? { action: 'skip', reason: 'the target is there' } : decision;
  }

  #decideIn(level: Level, name: ByteString, entry: SnapshotEntry): Decision {
    level.names?.add(name);
    if (level.barrier !== undefined) return { action: 'conflict', reason: level.barrier };
    return decide(entry, this.#view.find(level.folder, name), this.#settings.overwrite);
  }

  #enter(entry: SnapshotEntry, name: ByteString, { action, reason }: Decision): Level {
    if (entry.path === '') return this.#push(entry.path, this.#view.root, undefined);
    const parent = this.#levels.at(-1) as Level;
    if (action === 'conflict') return this.#push(entry.path, NOT_THERE, parent.barrier ?? `${reason} (${display(entry.path)})`);
    return this.#push(entry.path, action === 'create' ? NOT_THERE : this.#view.enter(parent.folder, name), undefined);
  }

  #push(path: ByteString, folder: ViewedFolder, barrier: string | undefined): Level {
    const watchesExtras = this.#settings.deleteExtra && folder.fd !== undefined;
    const level: Level = { path, folder, barrier, names: watchesExtras ? new Set() : undefined };
    this.#levels.push(level);
    return level;
  }

  /** Directories above it whose records are missing (damaged tree, several sources without a root) are taken as they are. */
  #parentOf(path: ByteString): Level {
    let level = this.#levels.at(-1) ?? this.#push('' as ByteString, this.#view.root, undefined);
    for (let end = path.indexOf('/', level.path.length + 1); end > 0; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end) as ByteString;
      const existing = level.barrier === undefined ? this.#view.find(level.folder, nameOf(folder)) : undefined;
      const barrier = existing && !existing.stat.isDirectory() ? `something else stands where the directory ${display(folder)} is wanted` : level.barrier;
      level = this.#push(folder, existing?.stat.isDirectory() ? this.#view.enter(level.folder, nameOf(folder)) : NOT_THERE, barrier);
    }
    return level;
  }

  *#extras(level: Level): Generator<Planned> {
    if (!level.names) return;
    for (const name of this.#view.names(level.folder).sort()) {
      const path = (level.path === '' ? name : `${level.path}/${name}`) as ByteString;
      if (level.names.has(name) || !this.#selection.matches(path)) continue;
      yield { entry: undefined, planned: { action: 'delete-extra', reason: 'the backup does not have it', path, bytes: 0 } };
    }
  }
}

export function nameOf(path: ByteString): ByteString {
  return path.slice(path.lastIndexOf('/') + 1) as ByteString;
}

export function holds(folder: string, path: string): boolean {
  return folder === '' ? path !== '' : path.startsWith(folder) && path.charCodeAt(folder.length) === 47;
}

export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new HoldfastError('interrupted', 'The restore was asked to stop. What was restored so far stays in the target, whole.', { nextStep: 'Run the same command again: what is whole is not written twice.' });
}
