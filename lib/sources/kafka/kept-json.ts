import * as z from 'zod';
import { display } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { ContentFile } from '../database-loader.ts';
import type { GroupOffsets } from './groups.ts';
import type { TopicDescription } from './topic-description.ts';

const VERSION = 1;
const MAX_BYTES = 256 << 20;

const groups = z.object({
  version: z.literal(VERSION),
  groups: z.array(z.object({ group: z.string(), offsets: z.array(z.object({ topic: z.string().min(1), partition: z.int().min(0), offset: z.int().min(0), metadata: z.string() })) })),
});

const topic = z.object({
  version: z.literal(VERSION),
  topic: z.string().min(1),
  topicId: z.string(),
  partitions: z.int().min(1),
  replicationFactor: z.int().min(1),
  configs: z.record(z.string(), z.string()),
  effective: z.record(z.string(), z.string()),
});

/** `groups.json`. Fails as `damaged`, `unsupported-version`. */
export async function keptGroups(file: ContentFile): Promise<readonly GroupOffsets[]> {
  return (await parsed(file, groups)).groups;
}

/** `topic.json`. */
export async function keptTopic(file: ContentFile): Promise<TopicDescription> {
  return parsed(file, topic);
}

async function parsed<T>(file: ContentFile, schema: z.ZodType<T>): Promise<T> {
  if (file.bytes > MAX_BYTES) throw new HoldfastError('damaged', `${display(file.path)} has ${file.bytes} bytes, wanted at most ${MAX_BYTES}.`);
  const pieces: Uint8Array[] = [];
  for await (const piece of file.read()) pieces.push(Uint8Array.from(piece));
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(pieces).toString('utf8'));
  } catch (cause) {
    throw new HoldfastError('damaged', `${display(file.path)} is no JSON: ${(cause as Error).message}.`, { nextStep: 'Run `holdfast verify --level full`, and restore from another backup.', cause });
  }
  const { version } = (value ?? {}) as { version?: unknown };
  if (typeof version === 'number' && version > VERSION) throw new HoldfastError('unsupported-version', `${display(file.path)} has version ${version}, wanted ${VERSION}.`, { nextStep: 'Use a newer Holdfast.' });
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new HoldfastError('damaged', `${display(file.path)} is not what a backup of Kafka holds: ${z.prettifyError(result.error)}.`, { nextStep: 'Run `holdfast verify --level full`, and restore from another backup.' });
}
