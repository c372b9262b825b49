import { HoldfastError } from '../../model/errors.ts';
import type { SearchClient } from './client.ts';
import { placeOf } from './connection.ts';

export interface IndexChoice {
  /** Names with `*` for any text; what begins with a dot only where the pattern does. */
  readonly indices: readonly string[];
  readonly exclude: readonly string[];
}

export interface ChosenIndices {
  /** Sorted. */
  readonly names: readonly string[];
  /** Hidden and system ones that nobody named. */
  readonly hidden: readonly string[];
  /** Closed ones, which no search reaches. */
  readonly closed: readonly string[];
  /** Data streams that the patterns match; their indices are hidden. */
  readonly dataStreams: readonly string[];
}

interface Resolved {
  readonly indices?: readonly { readonly name: string; readonly attributes?: readonly string[]; readonly data_stream?: string }[];
  readonly data_streams?: readonly { readonly name: string }[];
}

/**
 * What the patterns mean now. A user who may not see an index is not told that there is one, so that the health of the
 * cluster, which knows all names, is asked besides. Fails as `permission` when both differ, as `source-failed` when a named
 * index is not there or closed, or nothing matches.
 */
export async function chooseIndices(client: SearchClient, choice: IndexChoice, signal: AbortSignal): Promise<ChosenIndices> {
  const { indices: seen = [], data_streams: streams = [] } = await client.json<Resolved>({ method: 'GET', path: '/_resolve/index/*?expand_wildcards=all' }, signal);
  const { indices: all = {} } = await client.json<{ readonly indices?: Readonly<Record<string, unknown>> }>({ method: 'GET', path: '/_cluster/health?level=indices&expand_wildcards=all&filter_path=indices.*.status' }, signal);
  const visible = new Map(seen.map((index) => [index.name, index]));
  refuseUnseen(client, choice, Object.keys(all).filter((name) => !visible.has(name)));
  const isHidden = ({ name, attributes = [] }: { readonly name: string; readonly attributes?: readonly string[] }) => name.startsWith('.') || attributes.includes('hidden') || attributes.includes('system');
  const matching = [...visible.values()].filter(({ name }) => isChosen(choice, name)).sort((left, right) => (left.name < right.name ? -1 : 1));
  const taken = matching.filter((index) => !isHidden(index) || isNamed(choice, index.name));
  const closed = taken.filter(({ attributes = [] }) => attributes.includes('closed')).map(({ name }) => name);
  const names = taken.map(({ name }) => name).filter((name) => !closed.includes(name));
  refuseMissing(client, choice, { names, closed });
  return { names, closed, hidden: [...visible.values()].filter((index) => isHidden(index) && !taken.includes(index)).map(({ name }) => name).sort(), dataStreams: streams.map(({ name }) => name).filter((name) => isChosen(choice, name)) };
}

function isChosen({ indices, exclude }: IndexChoice, name: string): boolean {
  return indices.some((pattern) => matches(pattern, name)) && !exclude.some((pattern) => matches(pattern, name));
}

/** By a pattern that cannot mean any other kind, or by its very name. */
function isNamed({ indices }: IndexChoice, name: string): boolean {
  return indices.some((pattern) => (pattern === name || pattern.startsWith('.')) && matches(pattern, name));
}

export function matches(pattern: string, name: string): boolean {
  const [first = '', ...rest] = pattern.split('*');
  if (rest.length === 0) return pattern === name;
  const last = rest.pop() ?? '';
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = name.indexOf(part, at);
    if (found === -1 || found + part.length > name.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}

function refuseUnseen(client: SearchClient, choice: IndexChoice, unseen: readonly string[]): void {
  const lost = unseen.filter((name) => isChosen(choice, name) && (!name.startsWith('.') || isNamed(choice, name)));
  if (lost.length === 0) return;
  throw new HoldfastError('permission', `The cluster at ${placeOf(client.connection)} has ${listed(lost)}, which this user may not see. A backup without would look whole. Nothing was started.`, {
    nextStep: 'Give the user `read` and `view_index_metadata` on them (docs/sources/elasticsearch.md), or leave them out with `exclude`.', data: { indices: lost },
  });
}

function refuseMissing(client: SearchClient, { indices }: IndexChoice, { names, closed }: Pick<ChosenIndices, 'names' | 'closed'>): void {
  const place = placeOf(client.connection);
  const shut = indices.find((name) => closed.includes(name));
  if (shut !== undefined) throw new HoldfastError('source-failed', `The index ${shut} at ${place} is closed, and a closed index cannot be read. Nothing was started.`, { nextStep: `Open it (POST /${shut}/_open), or leave it out.` });
  const missing = indices.filter((name) => !name.includes('*') && !names.includes(name));
  if (missing.length > 0) throw new HoldfastError('source-failed', `The cluster at ${place} has no index ${missing.join(', ')}, or this user may not see it. Nothing was started.`, { nextStep: 'Check the names of `indices`; aliases and data streams are none.' });
  if (names.length > 0) return;
  throw new HoldfastError('source-failed', `The cluster at ${place} has no open index that matches ${indices.join(', ')} and is neither hidden nor one of the system. Nothing was started.`, { nextStep: 'Check `indices` and `exclude`: a backup of nothing protects nobody.' });
}

/** For messages: some of them, and how many more there are. */
export function listed(names: readonly string[], most = 5): string {
  const more = names.length - most;
  return `${names.slice(0, most).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
