import { display, fromText } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import type { Clock } from '../model/clock.ts';
import { HoldfastError } from '../model/errors.ts';
import { comparePaths } from '../model/path-order.ts';
import { attributesAt } from './attributes.ts';
import { configFile, findConfigFiles } from './configs/config-files.ts';
import type { WantedFile } from './configs/config-files.ts';
import { attributeOf, isSameValue } from './configs/kept-value.ts';
import type { ListedValue, NamedValues, ValueKind } from './configs/named-values.ts';
import { pathOfKey } from './s3/key-paths.ts';
import type { MissedObject, ObjectSource, ObjectsProof, OpenObject, SourceObject } from './source.ts';

export interface ConfigsOptions {
  readonly files: readonly WantedFile[];
  /** Names, or what names begin with and a `*`, of each service that is asked. */
  readonly values: readonly { readonly service: NamedValues; readonly wanted: readonly string[] }[];
  readonly clock: Clock;
}

/** Services give a few tens of answers a second. */
const PARALLEL = 8;

/**
 * Listed files, parameters and secrets (S8), each an entry of its own. A value goes from the service's answer into a sealed frame
 * and is nowhere else: no file, no message, no description holds it.
 */
export class ConfigsSource implements ObjectSource {
  readonly shape = 'objects';
  readonly type = 'configs';
  readonly description: string;
  readonly parallel = PARALLEL;
  readonly #options: ConfigsOptions;

  constructor(options: ConfigsOptions) {
    this.#options = options;
    this.description = [...options.files.map(({ path }) => path), ...options.values.flatMap(({ service: { kind }, wanted }) => wanted.map((name) => `${kind} ${name}`))].join(', ');
  }

  async check(): Promise<void> {
    const { files, values } = this.#options;
    await findConfigFiles(files);
    const { signal } = new AbortController();
    for (const { service, wanted } of values) for (const one of wanted) for await (const { name } of found(service, one, signal)) if (name) break;
  }

  async *objects(signal: AbortSignal): AsyncGenerator<SourceObject, ObjectsProof> {
    const { files, values, clock } = this.#options;
    const there = await findConfigFiles(files);
    const objects = there.files.map((file) => configFile(file, clock));
    const evidence = there.files.length > 0 ? [`${counted(there.files.length, 'file')} of ${counted(files.length, 'name')} in the list`] : [];
    for (const { service, wanted } of values) {
      const listed = new Map<string, ListedValue>();
      for (const one of wanted) for await (const value of found(service, one, signal)) listed.set(value.name, value);
      objects.push(...objectsOf(service, [...listed.values()], { clock, signal }));
      if (wanted.length > 0) evidence.push(`${listed.size} ${service.kind} in listings that ended`);
    }
    yield* objects.sort((a, b) => comparePaths(a.path, b.path));
    return { evidence, facts: { 'config-entries': objects.length }, warnings: there.warnings };
  }
}

/** A wrong name looks like an empty answer, and a backup of nothing protects nobody. */
async function* found(service: NamedValues, wanted: string, signal: AbortSignal): AsyncGenerator<ListedValue> {
  let count = 0;
  for await (const value of service.list(wanted, signal)) {
    count++;
    yield value;
  }
  if (count === 0) throw new HoldfastError('source-failed', `Nothing is named ${wanted} among the ${service.kind} of this account and region.`, { nextStep: 'Check the name and `region`. Nothing of this run is kept.' });
}

interface Reading {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

function objectsOf(service: NamedValues, listed: readonly ListedValue[], reading: Reading): SourceObject[] {
  const folders = new Set(listed.flatMap(({ name }) => foldersOf(keyOf(name))));
  const objects = listed.map((value) => valueObject(service, { value, path: pathOf(service.kind, value.name, folders.has(keyOf(value.name))) }, reading));
  const paths = new Map<string, number>();
  for (const [index, { path }] of objects.entries()) {
    const other = paths.get(path);
    if (other !== undefined) throw new HoldfastError('source-failed', `The ${service.kind} ${listed[other]?.name} and ${listed[index]?.name} would have one path in a backup, ${display(path)}.`, { nextStep: 'Put them into two plans, or rename one of them.' });
    paths.set(path, index);
  }
  return objects;
}

function valueObject(service: NamedValues, { value, path }: { readonly value: ListedValue; readonly path: ByteString }, { clock, signal }: Reading): SourceObject {
  return {
    path,
    size: undefined,
    isUnchanged: (previous) => isSameValue(previous, value),
    open: async (): Promise<OpenObject | MissedObject> => {
      const read = await service.read(value.name, signal);
      if (read === 'absent') return { missed: 'vanished', reason: 'it was deleted before it could be read', attributes: attributesAt(value.modified) };
      const { content, name, version, modified, facts } = read;
      return {
        attributes: attributesAt(modified),
        extended: [attributeOf({ kind: service.kind, name, version, modified, facts })],
        size: content.length,
        // Times of these services have whole seconds here and there.
        isRacy: modified > clock.now() - 2000,
        body: (async function* () {
          yield content;
        })(),
        discard: () => undefined,
      };
    },
  };
}

function pathOf(kind: ValueKind, name: string, isFolder: boolean): ByteString {
  return `${kind}/${pathOfKey(keyOf(name), isFolder)}` as ByteString;
}

/** `/a/b` is told as `a/b`. */
function keyOf(name: string): ByteString {
  return fromText(name.replace(/^\//, ''));
}

function foldersOf(key: string): string[] {
  const components = key.split('/');
  return components.slice(1).map((_, index) => components.slice(0, index + 1).join('/'));
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
