import { display } from '../../model/byte-string.ts';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { BackupContent, ContentFile, DatabaseLoad, DatabaseLoader, LoadOptions, LoadRequest, LoadedDatabase } from '../database-loader.ts';
import { choiceOf, refuseWishes } from './choice.ts';
import type { Choice } from './choice.ts';
import { openRedisLink } from './connection.ts';
import { asTarget } from './failures.ts';
import type { RedisLink } from './link.ts';
import { serverName, userName } from './place.ts';
import type { RedisConnection } from './place.ts';
import { Pouring } from './pour.ts';
import { headOf, recordsIn, snapshotIn } from './snapshots-in.ts';
import type { RdbRecord } from './snapshots-in.ts';
import { examineTarget, foundOf } from './target.ts';
import type { Found } from './target.ts';
import { Written } from './written.ts';

export interface RedisLoaderOptions {
  readonly connection: RedisConnection;
  /** Only this database of the backup; absent: all, each under its number. */
  readonly database?: number | undefined;
  readonly clock: Pick<Clock, 'now'>;
}

interface Planned {
  readonly file: ContentFile;
  readonly wanted: LoadRequest;
  readonly isChosen: Choice;
}

/**
 * Puts the keys of a snapshot into a server that runs, one by one, by RESTORE (R1): values as the backup has them, and the moment
 * at which each expires. What is written into a free name is taken away again when the restore fails; what was replaced
 * (`clean`) cannot come back.
 */
export class RedisLoader implements DatabaseLoader {
  readonly kind = 'redis';
  readonly isAbleToKeep = true;
  readonly description: string;
  readonly #options: RedisLoaderOptions;

  constructor(options: RedisLoaderOptions) {
    this.#options = options;
    this.description = `${options.database === undefined ? 'all databases' : `database ${options.database}`} at ${serverName(options.connection)} as ${userName(options.connection)}`;
  }

  async plan(content: BackupContent, wanted: LoadRequest, signal: AbortSignal): Promise<DatabaseLoad[]> {
    refuseWishes(wanted);
    const file = await snapshotIn(content, wanted.entry);
    const head = await headOf(file);
    const planned: Planned = { file, wanted, isChosen: choiceOf(wanted, this.#options.database) };
    const place = serverName(this.#options.connection);
    return this.#withLink(signal, async (link) => {
      const server = await examineTarget(link);
      const existing = server.isEmpty ? NONE : await foundOf(file, link, { ...planned, server });
      if (wanted.mode === 'empty') this.#refuseExisting(existing);
      return [{
        mode: wanted.mode, description: this.description, entry: display(file.path), bytes: file.bytes, place, into: `the keys at ${place}`, words: { table: 'database', row: 'key' },
        archive: { server: head.server, dumpedBy: head.server, database: String(this.#options.database ?? 'all') },
        client: `RESTORE of values in RDB version ${head.version}`, server: server.version,
        existing: { objects: existing.count, tables: existing.names },
        warnings: head.server.split(' ')[0] === server.version.split(' ')[0] ? [] : [`the backup is of ${head.server} and goes into ${server.version}: what only one of them knows fails the restore`],
        perform: (options) => this.#perform(planned, options),
        missingTables: (later) => this.#missing(planned, later),
      }];
    });
  }

  #refuseExisting({ count, names }: Found): void {
    if (count === 0) return;
    throw new HoldfastError('target-exists', `Of what the backup has, ${count} ${count === 1 ? 'name is' : 'names are'} taken at ${serverName(this.#options.connection)}: ${names.slice(0, 5).join(', ')}${count > 5 ? ', …' : ''}. Nothing was done.`, {
      nextStep: 'Keep what is there and add the rest (--keep-existing), or replace it by what the backup has (--clean).', data: { objects: names },
    });
  }

  async #perform(planned: Planned, { signal, onBytes }: LoadOptions): Promise<LoadedDatabase> {
    const { file, wanted } = planned;
    const [written, counts] = [new Written(), new Map<number, number>()];
    let [kept, libraries] = [0, 0];
    // Not with the signal: what is under way is waited for, so that it is known.
    return this.#withLink(undefined, async (link) => {
      const before = await examineTarget(link);
      const pouring = new Pouring(link, wanted.mode, ({ record, nr }, outcome) => {
        if (outcome === 'kept') return void kept++;
        written.add(nr);
        if (record.kind === 'key') counts.set(record.database, (counts.get(record.database) ?? 0) + 1);
        else libraries++;
      });
      try {
        const { chosen, expired } = await this.#pour(planned, pouring, { signal, onBytes });
        if (chosen === 0) throw new HoldfastError('not-found', `Nothing of ${display(file.path)} is ${this.#options.database === undefined ? '' : `in database ${this.#options.database} and `}named as was asked for. Nothing was restored.`, { nextStep: 'Patterns are of whole names of keys, with * and ? for others.' });
        const { evicted } = await examineTarget(link);
        const tables = [...counts].sort(([one], [other]) => one - other).map(([database, rows]) => ({ schema: 'db', table: String(database), rows }));
        return { bytes: file.bytes, tables, warnings: warningsOn(evicted - before.evicted), notes: notesOn({ kept, expired, libraries }) };
      } catch (error) {
        throw await this.#afterFailure(planned, { written, underWay: pouring.underWay, error });
      }
    });
  }

  async #pour({ file, isChosen }: Planned, pouring: Pouring, { signal, onBytes }: LoadOptions): Promise<{ readonly chosen: number; readonly expired: number }> {
    let [nr, chosen, expired] = [0, 0, 0];
    for await (const { version, records } of recordsIn(file, { onBytes })) {
      for (const record of records) {
        const what = { record, nr: nr++ };
        if (signal.aborted) throw new HoldfastError('interrupted', `Restoring into ${this.description} was stopped.`, { cause: signal.reason });
        if (!isChosen(record)) continue;
        chosen++;
        if (this.#isOver(record)) expired++;
        else await pouring.add(what, version);
      }
    }
    await pouring.flush();
    return { chosen, expired };
  }

  #isOver(record: RdbRecord): boolean {
    return record.kind === 'key' && record.expiresAt !== undefined && record.expiresAt <= BigInt(Math.floor(this.#options.clock.now()));
  }

  /** Takes away what was brought, where that is everything that was changed; answers what is to be told. */
  async #afterFailure({ file, wanted }: Planned, { written, underWay, error }: { readonly written: Written; readonly underWay: readonly string[]; readonly error: unknown }): Promise<unknown> {
    const unknown = underWay.length === 0 ? '' : ` What was under way may be there: ${underWay.slice(0, 5).join(', ')}${underWay.length > 5 ? ` and ${underWay.length - 5} more` : ''}.`;
    if (wanted.mode === 'clean') return withWords(error, `${written.count} of the names hold what the backup has, and the others what they had.${unknown}`, 'Restore again: what is there already is written once more.');
    if (written.count === 0) return unknown === '' ? error : withWords(error, `Nothing is known to have been changed.${unknown}`);
    try {
      await this.#withLink(undefined, (link) => written.takeAway(file, link));
      return withWords(error, `What had been brought was taken away again.${unknown}`);
    } catch (cause) {
      return new HoldfastError('target-failed', `The restore failed (${(error as Error).message}), and the ${written.count} keys and libraries that it had brought into ${this.description} could not be taken away again (${(cause as Error).message}).${unknown}`, { nextStep: 'When the server runs again, restore with --keep-existing: it adds what is missing.', cause: error });
    }
  }

  async #missing({ file, isChosen }: Planned, signal: AbortSignal): Promise<string[]> {
    const isStill: Choice = (record) => isChosen(record) && !this.#isOver(record);
    const { count, names } = await this.#withLink(signal, async (link) => foundOf(file, link, { isChosen: isStill, server: await examineTarget(link), isMissing: true }));
    return count <= names.length ? [...names] : [...names, `and ${count - names.length} more`];
  }

  async #withLink<T>(signal: AbortSignal | undefined, work: (link: RedisLink) => Promise<T>): Promise<T> {
    try {
      const link = await openRedisLink(this.#options.connection, signal);
      return await work(link).finally(() => link.close());
    } catch (error) {
      throw isHoldfastError(error) ? asTarget(error) : error;
    }
  }
}

const NONE: Found = { count: 0, names: [] };

function warningsOn(evicted: number): string[] {
  return evicted === 0 ? [] : [`the server threw ${evicted} keys away meanwhile because its memory is full (maxmemory): what was restored may not be there; raise it, and restore again with --keep-existing`];
}

function notesOn({ kept, expired, libraries }: Readonly<Record<'kept' | 'expired' | 'libraries', number>>): string[] {
  return [
    ...(libraries > 0 ? [`libraries of functions: ${libraries}`] : []),
    ...(kept > 0 ? [`there already, and as they were: ${kept}`] : []),
    ...(expired > 0 ? [`expired since the backup was made, and not restored: ${expired}`] : []),
  ];
}

function withWords(error: unknown, words: string, nextStep?: string): unknown {
  if (!isHoldfastError(error)) return error;
  const step = nextStep ?? error.nextStep;
  return new HoldfastError(error.code, `${error.message} ${words}`, { ...(step !== undefined && { nextStep: step }), data: error.data, retryable: error.retryable, cause: error });
}
