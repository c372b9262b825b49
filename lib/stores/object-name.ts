import { invariant } from '../model/errors.ts';
import { MAX_OBJECT_BYTES, type ByteRange } from './store.ts';

const COMPONENT = /^[A-Za-z0-9._-]{1,255}$/;
const MAX_NAME_BYTES = 512;

/** First component that no object may have: stores keep their unfinished writes there. */
export const PRIVATE_FOLDER = 'tmp';

/** Parts of a name outside this alphabet can never be objects; listings pass over them (`lost+found`, editor droppings). */
export function isComponent(text: string): boolean {
  return COMPONENT.test(text) && text !== '.' && text !== '..';
}

/** Refuses, as `broken-invariant`, whatever the port does not allow as a name; no path is ever built from anything else. */
export function checkName(name: string): void {
  const components = name.split('/');
  const valid = name.length <= MAX_NAME_BYTES && components.every(isComponent);
  invariant(valid, `${JSON.stringify(name)} is no object name: wanted components of [A-Za-z0-9._-] joined by "/", at most ${MAX_NAME_BYTES} bytes`);
  invariant(components[0] !== PRIVATE_FOLDER, `${JSON.stringify(name)} is no object name: "${PRIVATE_FOLDER}/" is private to the store`);
}

/** A prefix is a whole number of components and ends in `/`, or is empty. */
export function checkPrefix(prefix: string): void {
  const valid = prefix === '' || (prefix.endsWith('/') && prefix.slice(0, -1).split('/').every(isComponent));
  invariant(valid, `${JSON.stringify(prefix)} is no prefix of object names: wanted whole components ending in "/", or nothing`);
}

/** The parts of an object without its empty ones, measured; `broken-invariant` above the largest size of an object. */
export function checkObject(name: string, bytes: Uint8Array | readonly Uint8Array[]): { parts: readonly Uint8Array[]; size: number } {
  checkName(name);
  const all = bytes instanceof Uint8Array ? [bytes] : bytes;
  const parts = all.filter((part) => part.byteLength > 0);
  const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
  invariant(size <= MAX_OBJECT_BYTES, `${name} has ${size} bytes: an object has at most ${MAX_OBJECT_BYTES}`);
  return { parts, size };
}

export function checkRange(name: string, range: ByteRange | undefined): void {
  const valid = range === undefined || [range.offset, range.length].every((value) => Number.isSafeInteger(value) && value >= 0);
  invariant(valid, `a range of ${name} is offset ${range?.offset}, length ${range?.length}: wanted whole numbers from 0`);
}
