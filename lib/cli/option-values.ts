import { InvalidArgumentError, Option } from 'commander';
import { DURATION, DURATION_WANTED, parseDuration } from '../config/duration.ts';
import { BYTE_SIZE, BYTE_SIZE_WANTED, parseByteSize } from '../config/byte-size.ts';

/** Parsers of option values; commander prints their complaints with the name of the option. */
export function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`Wanted a whole number from ${least} to ${most}.`);
  };
}

export function byteSize(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  if (BYTE_SIZE.test(text)) return parseByteSize(text);
  throw new InvalidArgumentError(`Wanted ${BYTE_SIZE_WANTED}.`);
}

/** Where nothing at all would never end. */
export function byteRate(text: string): number {
  const rate = byteSize(text);
  if (rate > 0) return rate;
  throw new InvalidArgumentError(`Wanted more than 0: ${BYTE_SIZE_WANTED}; leave the option away for no limit.`);
}

export function timeline(text: string): string {
  if (/^(latest|current|[1-9]\d{0,9})$/.test(text)) return text;
  throw new InvalidArgumentError('Wanted a number, latest or current.');
}

/** Milliseconds. */
export function duration(text: string): number {
  if (DURATION.test(text)) return parseDuration(text);
  throw new InvalidArgumentError(`Wanted ${DURATION_WANTED}.`);
}

export function collect(text: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), text];
}

export function oneOf(flags: string, description: string, words: readonly string[]): Option {
  return new Option(flags, description).choices(words);
}

export function option(flags: string, description: string, parse?: (text: string, previous: never) => unknown): Option {
  const made = new Option(flags, description);
  return parse === undefined ? made : made.argParser(parse as (text: string, previous: unknown) => unknown);
}
