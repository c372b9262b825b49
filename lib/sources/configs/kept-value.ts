import * as z from 'zod';
import { fromText } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';
import { HoldfastError } from '../../model/errors.ts';
import type { KeptObject, ObjectAttribute } from '../source.ts';
import type { ListedValue, ValueFacts, ValueKind } from './named-values.ts';

/** The extended attribute of an entry that says which parameter or secret it was. */
export const VALUE_ATTRIBUTE = fromText('user.holdfast.value');

export interface KeptValue extends ListedValue {
  readonly kind: ValueKind;
  readonly facts: ValueFacts;
}

const text = z.string();
const schema = z.object({
  kind: z.enum(['parameters', 'secrets']), name: text, version: text, modified: z.number(),
  facts: z.object({
    type: text, description: text.optional(), keyId: text.optional(), tags: z.record(text, text).optional(), tier: text.optional(), dataType: text.optional(), allowedPattern: text.optional(),
    policies: z.array(text).optional(), labels: z.array(text).optional(), ownedBy: text.optional(),
    rotation: z.object({ isEnabled: z.boolean(), function: text.optional(), schedule: text.optional(), everyDays: z.number().optional(), last: z.number().optional() }).optional(),
  }),
});

export function attributeOf(value: KeptValue): ObjectAttribute {
  return { name: VALUE_ATTRIBUTE, value: Buffer.from(JSON.stringify(value)) };
}

/** Undefined for an entry that is neither. Fails as `damaged` for one that says so and does not fit. */
export function keptValueOf(attributes: readonly { readonly name: ByteString; readonly value: Uint8Array }[]): KeptValue | undefined {
  const attribute = attributes.find(({ name }) => name === VALUE_ATTRIBUTE);
  if (!attribute) return undefined;
  const parsed = schema.safeParse(parsedJson(attribute.value));
  if (!parsed.success) throw new HoldfastError('damaged', `The attribute ${VALUE_ATTRIBUTE} of an entry is not what a backup of configs writes: ${parsed.error.issues[0]?.message ?? 'it does not fit'}.`, { nextStep: 'Check the backup with `holdfast verify`.' });
  return parsed.data as KeptValue;
}

/** By what a listing shows: the entry holds that very version. */
export function isSameValue({ attributes }: KeptObject, listed: ListedValue): boolean {
  const kept = keptValueOf(attributes);
  return kept !== undefined && kept.name === listed.name && kept.version === listed.version && kept.modified === listed.modified;
}

function parsedJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
