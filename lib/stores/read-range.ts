import { HoldfastError } from '../model/errors.ts';
import { MAX_OBJECT_BYTES, type ByteRange } from './store.ts';

/**
 * The bytes that a `get` must deliver from an object of `size` bytes; `damaged` when the object cannot hold them.
 * An object above the largest size was not written by a store: reading it whole could exhaust the memory.
 */
export function resolveRange(name: string, size: number, range?: ByteRange): ByteRange {
  if (size > MAX_OBJECT_BYTES) throw damaged(`${name} has ${size} bytes: no stored object has more than ${MAX_OBJECT_BYTES}`, { name, size });
  if (range === undefined) return { offset: 0, length: size };
  const end = range.offset + range.length;
  if (range.offset >= size || end > size) {
    throw damaged(`${name} has ${size} bytes, and bytes ${range.offset} to ${end} were promised to be in it: it was cut off or is another object`, { name, size, ...range });
  }
  return range;
}

function damaged(message: string, data: Record<string, unknown>): HoldfastError {
  return new HoldfastError('damaged', message, { data, nextStep: 'Run `holdfast verify --level structure` to see which backups it touches.' });
}
