/** Templates and pipelines of the cluster. */
export const CLUSTER_ENTRY = 'cluster.json';

/** Names of indices hold no slash and are no longer than a component may be. */
export function definitionEntry(index: string): string {
  return `indices/${index}/definition.json`;
}

export function documentsEntry(index: string): string {
  return `indices/${index}/documents.ndjson`;
}

/** The index that an entry belongs to. */
export function indexOfEntry(path: string): { readonly index: string; readonly part: 'definition' | 'documents' } | undefined {
  const [, index, part] = /^indices\/([^/]+)\/(?:(definition)\.json|documents\.ndjson)$/.exec(path) ?? [];
  return index === undefined ? undefined : { index, part: part === undefined ? 'documents' : 'definition' };
}
