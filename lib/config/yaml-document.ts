import { isAlias, isCollection, isMap, isScalar, isSeq, Lexer, LineCounter, parseDocument, Parser, visit } from 'yaml';
import type { Document, Node, Pair, YAMLMap } from 'yaml';
import type { ConfigPath } from './problems.ts';

/** A parsed file that still knows on which line everything stands. */
export interface YamlDocument {
  /** Plain values; an empty file is an empty map. */
  readonly value: unknown;
  /** What is wrong with the YAML itself; `value` means nothing when there is any. */
  readonly faults: readonly { readonly line: number; readonly text: string }[];
  /** 1-based line of the key (or list item) at the path, or of the deepest part of it that exists. */
  lineOf(path: ConfigPath): number;
}

/** Far beyond any key of a configuration, and any pattern of events. */
const MAX_DEPTH = 64;
/** Values with all aliases (*) written out: more than a file without any can hold. */
const MAX_VALUES = 200_000;

export function parseYaml(text: string): YamlDocument {
  const deep = tooDeep(text);
  if (deep !== undefined) return { value: undefined, faults: [{ line: deep, text: `lists and maps lie in one another more than ${MAX_DEPTH} deep` }], lineOf: () => deep };
  const lines = new LineCounter();
  const document = parsed(text, lines);
  const line = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const faults = [
    ...[...document.errors, ...document.warnings].map((fault) => ({ line: line(fault.pos[0]), text: faultText(fault.message) })),
    ...nodeFaults(document).map(({ offset, text: fault }) => ({ line: line(offset), text: fault })),
  ];
  return { ...plainValue(document, faults), lineOf: (path) => line(offsetOf(document, path)) };
}

/**
 * The line where nesting goes too far. The parser's first half keeps a stack of its own; the second calls itself for each
 * level, and ends at the end of the stack with an error for every bracket: half a gigabyte for 100 KB of them.
 */
function tooDeep(text: string): number | undefined {
  const parser = new Parser();
  let line = 1;
  for (const lexeme of new Lexer().lex(text)) {
    Array.from(parser.next(lexeme));
    // The document itself, and a scalar that is being read, are on it too.
    if (parser.stack.length > MAX_DEPTH + 2) return line;
    line += lexeme.split('\n').length - 1;
  }
  return undefined;
}

function parsed(text: string, lineCounter: LineCounter): Document {
  const { stackTraceLimit } = Error;
  // A file that is something else has a fault in every character, and nobody reads where in the parser each was found.
  Error.stackTraceLimit = 0;
  try {
    // Pretty errors and warnings on the console would quote the source, and that may hold a secret. Whether keys are
    // unique is asked below: the parser compares each with each.
    return parseDocument(text, { lineCounter, prettyErrors: false, logLevel: 'error', uniqueKeys: false });
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function plainValue(document: Document, faults: YamlDocument['faults']): Pick<YamlDocument, 'value' | 'faults'> {
  if (faults.length > 0) return { value: undefined, faults };
  const tooOften = { value: undefined, faults: [{ line: 1, text: 'aliases (*) repeat each other too often' }] };
  try {
    // The parser's limit would be a hundred uses of one anchor: few for a policy that many plans share.
    const value: unknown = document.toJS({ maxAliasCount: -1 }) ?? {};
    return hasMoreThan(MAX_VALUES, value) ? tooOften : { value, faults };
  } catch {
    // The one thing that still fails here is an anchor that holds its own alias.
    return tooOften;
  }
}

/** Counted as often as they are reached: an alias is the same object in memory, and every one of them is checked. */
function hasMoreThan(count: number, value: unknown): boolean {
  const waiting = [value];
  for (let seen = 1; waiting.length > 0; seen++) {
    if (seen + waiting.length > count) return true;
    const next = waiting.pop();
    if (typeof next === 'object' && next !== null) waiting.push(...Object.values(next));
  }
  return false;
}

/** The parser's own words up to the piece of source that it quotes behind a colon. */
function faultText(message: string): string {
  return message.split(':', 1)[0] ?? message;
}

interface NodeFault {
  readonly offset: number;
  readonly text: string;
}

/** In one walk: the parser looks through the whole document for each alias, and through the whole map for each key. */
function nodeFaults(document: Document): NodeFault[] {
  const faults: NodeFault[] = [];
  const anchors = new Set<string>();
  visit(document, (_, node) => {
    if (isAlias(node)) {
      if (!anchors.has(node.source)) faults.push({ offset: startOf(node) ?? 0, text: 'a value that begins with * refers to an anchor (&) above it, and there is none; quote it if it is text' });
    } else if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) anchors.add(node.anchor);
    if (isMap(node)) faults.push(...repeatedKeys(node));
  });
  return faults;
}

function repeatedKeys({ items }: YAMLMap): NodeFault[] {
  const known = new Set<unknown>();
  const valueOf = ({ key }: Pair) => (isScalar(key) ? key.value : key);
  const repeated = items.filter((pair) => known.size === known.add(valueOf(pair)).size);
  return repeated.map(({ key }) => ({ offset: startOf(key) ?? 0, text: 'Map keys must be unique' }));
}

function offsetOf(document: Document, path: ConfigPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const part of path) {
    const found = step(isAlias(node) ? node.resolve(document) : node, part);
    if (found === undefined) return offset;
    offset = startOf(found.at) ?? offset;
    node = found.value;
  }
  return offset;
}

function step(node: unknown, part: string | number): { at: unknown; value: unknown } | undefined {
  if (isSeq(node) && typeof part === 'number') return part < node.items.length ? { at: node.items[part], value: node.items[part] } : undefined;
  if (!isMap(node)) return undefined;
  const pair = pairsOf(node).get(String(part));
  return pair === undefined ? undefined : { at: pair.key, value: pair.value };
}

/** A file that is wrong in every line asks for every one of them. */
const knownPairs = new WeakMap<YAMLMap, ReadonlyMap<string, Pair>>();

function pairsOf(map: YAMLMap): ReadonlyMap<string, Pair> {
  const known = knownPairs.get(map);
  if (known) return known;
  const pairs = new Map(map.items.map((item) => [isScalar(item.key) ? String(item.key.value) : String(item.key), item]));
  knownPairs.set(map, pairs);
  return pairs;
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
