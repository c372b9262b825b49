import type { TopicDescription } from './topic-description.ts';

export interface WantedConfigs {
  readonly description: TopicDescription;
  /** No retention, whatever it was. */
  readonly isKeepingAll: boolean;
}

/** While records come in: none is too old, none needs a key, none is too large, and nothing takes the time of another. */
export const WHILE_LOADING = {
  'retention.ms': '-1', 'retention.bytes': '-1', 'cleanup.policy': 'delete', 'message.timestamp.type': 'CreateTime', 'max.message.bytes': String(0x7fff_ffff),
} as const;
const UNLIMITED = { 'retention.ms': '-1', 'retention.bytes': '-1' } as const;
/** Is about moving replicas in the cluster that was, and names its brokers. */
const NOT_RESTORED = /\.replication\.throttled\.replicas$/;

/** What a topic has in the end. */
export function finalConfigs({ description, isKeepingAll }: WantedConfigs): Readonly<Record<string, string>> {
  const configs = Object.fromEntries(Object.entries(description.configs).filter(([name]) => !NOT_RESTORED.test(name)));
  return isKeepingAll ? { ...configs, ...UNLIMITED } : configs;
}
