import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { Document, Node, Pair } from 'yaml';
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

export function parseYaml(text: string): YamlDocument {
  const lines = new LineCounter();
  // Pretty errors and warnings on the console would quote the source, and that may hold a secret.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error', uniqueKeys: true });
  const line = (offset: number): number => Math.max(1, lines.linePos(offset).line);
  const faults = [
    ...[...document.errors, ...document.warnings].map((fault) => ({ line: line(fault.pos[0]), text: faultText(fault.message) })),
    ...danglingAliases(document).map((offset) => ({ line: line(offset), text: 'a value that begins with * refers to an anchor (&) above it, and there is none; quote it if it is text' })),
  ];
  return { ...plainValue(document, faults), lineOf: (path) => line(offsetOf(document, path)) };
}

function plainValue(document: Document, faults: YamlDocument['faults']): Pick<YamlDocument, 'value' | 'faults'> {
  if (faults.length > 0) return { value: undefined, faults };
  try {
    return { value: document.toJS() ?? {}, faults };
  } catch {
    // The one thing that still fails here is the parser's limit on aliases of aliases, which grow without bound.
    return { value: undefined, faults: [{ line: 1, text: 'aliases (*) repeat each other too often' }] };
  }
}

/** The parser's own words up to the piece of source that it quotes behind a colon. */
function faultText(message: string): string {
  return message.split(':', 1)[0] ?? message;
}

function danglingAliases(document: Document): number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document) === undefined) offsets.push(alias.range?.[0] ?? 0);
    },
  });
  return offsets;
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
  const pair: Pair | undefined = node.items.find((item) => (isScalar(item.key) ? String(item.key.value) : String(item.key)) === String(part));
  return pair === undefined ? undefined : { at: pair.key, value: pair.value };
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null | undefined)?.range?.[0];
}
