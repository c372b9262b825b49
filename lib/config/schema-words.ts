import * as z from 'zod';
import { BYTE_SIZE, BYTE_SIZE_WANTED, parseByteSize } from './byte-size.ts';
import { DURATION, DURATION_WANTED, parseDuration } from './duration.ts';
import { parseSecretReference, SECRET_REFERENCE, SECRET_WANTED } from './secret-reference.ts';

/**
 * An object that refuses unknown keys. Its message for them is the list of known ones: `problems.ts` finds the closest,
 * which it could not do afterwards, because an issue does not carry its schema.
 */
export function strictMap<T extends z.ZodRawShape>(shape: T, wanted: string): z.ZodObject<T, z.core.$strict> {
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? Object.keys(shape).join(KEY_SEPARATOR) : wanted) });
}

export const KEY_SEPARATOR = ' ';

/** One word of a few; the message lists them. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T): z.ZodEnum<{ [K in T[number]]: K }> {
  return z.enum(words, { error: `one of ${words.join(', ')}` });
}

export function text(wanted: string): z.ZodString {
  return z.string({ error: wanted }).min(1, { error: wanted });
}

export function texts(wanted: string): z.ZodArray<z.ZodString> {
  return z.array(text(wanted), { error: `a list of ${wanted}s` });
}

export function wholeNumber(least: number, most: number): z.ZodInt {
  const error = `a whole number from ${least} to ${most}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
}

export function yesOrNo(): z.ZodBoolean {
  return z.boolean({ error: 'true or false' });
}

export const path = text('a path').refine((value) => !value.includes('\0'), { error: 'a path without NUL bytes' });

/** Bytes. */
export const byteSize = z.union(
  [z.int().nonnegative(), z.string().regex(BYTE_SIZE).transform(parseByteSize)],
  { error: BYTE_SIZE_WANTED },
);

/** Milliseconds. */
export const duration = z.string({ error: DURATION_WANTED }).regex(DURATION, { error: DURATION_WANTED }).transform(parseDuration);

/** Milliseconds, from one written duration to another. */
export function durationWithin(least: string, most: string): typeof duration {
  const error = `a duration from ${least} to ${most}, such as "${least}"`;
  return z.string({ error }).regex(DURATION, { error }).refine((text) => parseDuration(text) >= parseDuration(least) && parseDuration(text) <= parseDuration(most), { error }).transform(parseDuration);
}

export const secret = z.string({ error: SECRET_WANTED }).regex(SECRET_REFERENCE, { error: SECRET_WANTED }).transform(parseSecretReference);

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A map from names that people choose; they appear in messages, file names and metrics, so they stay simple. */
export function named<T extends z.ZodType>(what: string, value: T): z.ZodRecord<z.ZodString, T> {
  return z.record(z.string().regex(NAME, { error: `a name of letters, digits, ".", "_" and "-", at most 63, beginning with a letter or digit` }), value, { error: `a map from names to ${what}` });
}
