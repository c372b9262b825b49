import type { Dialect } from './server.ts';

/** Settings of an index by their flat names, as the cluster tells them: texts, or lists of texts. */
export type FlatSettings = Readonly<Record<string, unknown>>;

export interface SplitSettings {
  /** To make the index with. */
  readonly early: FlatSettings;
  /** When all is in it; null takes away what was only for the load. */
  readonly late: FlatSettings;
  /** Names of what is not set again, and that somebody set on purpose. */
  readonly dropped: readonly string[];
}

/** Of the index that it was, or of its place in the cluster where it was. */
const OF_THE_OLD_ONE = /^index\.(uuid|creation_date.*|provided_name|version\..*|resize\..*|history\.uuid|verified_before_close|store\.snapshot\..*|remote_store\..*|frozen|search\.throttled|blocks\.read_only_allow_delete|routing\.allocation\.(include\._tier_preference|initial_recovery\..*))$/;
/** Names nodes; those of another cluster have other names, and shards would wait for nodes that are not there. */
const OF_NODES = /^index\.routing\.allocation\./;
/** Would slow the load down, change documents, or refuse them. */
const LATE = /^index\.(refresh_interval|number_of_replicas|auto_expand_replicas|default_pipeline|final_pipeline|hidden|blocks\..*|lifecycle\..*|plugins\..*)$/;

/** Hidden: then templates for every index do not add to it what the backup has not. */
const FOR_THE_LOAD: FlatSettings = { 'index.refresh_interval': '-1', 'index.number_of_replicas': '0', 'index.default_pipeline': '_none', 'index.final_pipeline': '_none', 'index.hidden': 'true' };

export function splitSettings(settings: FlatSettings, { product }: Dialect): SplitSettings {
  const entries = Object.entries(settings).filter(([name]) => !OF_THE_OLD_ONE.test(name) && (name !== 'index.replication.type' || product === 'OpenSearch'));
  const kept = entries.filter(([name]) => !OF_NODES.test(name));
  const isLate = ([name]: readonly [string, unknown]) => LATE.test(name);
  const undo = Object.fromEntries([...Object.keys(FOR_THE_LOAD), 'index.blocks.write'].map((name) => [name, null]));
  return {
    early: { ...Object.fromEntries(kept.filter((entry) => !isLate(entry))), ...FOR_THE_LOAD },
    late: { ...undo, 'index.number_of_replicas': '1', ...Object.fromEntries(kept.filter(isLate)) },
    dropped: entries.filter(([name]) => OF_NODES.test(name)).map(([name]) => name),
  };
}
