import { getHeapStatistics } from 'node:v8';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import type { ErrorCode } from '../../../lib/model/errors.ts';
import type { SeededRandom } from '../../simulation/dice.ts';

/** One decoder, what it is fed with, and how it may refuse it. */
export interface FuzzTarget {
  readonly name: string;
  /** How it may fail; any other code, and any error that is not Holdfast's, is a finding. */
  readonly codes: readonly ErrorCode[];
  /** One input, real at heart. */
  input(dice: SeededRandom): Uint8Array;
  /** Hands it to the decoder: sealed validly first, where a reader would find it sealed. The answer is forgotten. */
  decode(input: Uint8Array): unknown;
  /** How often it has its turn; default `USUAL_WEIGHT`, less for what takes milliseconds. */
  readonly weight?: number;
  /** Bytes that one call may take, whatever the input announces; default `TAKEN_BYTES`. */
  readonly takenBytes?: number;
}

export const USUAL_WEIGHT = 10;

/** More than anything decoded from a few KiB holds, and less than a length that lies would take. */
const TAKEN_BYTES = 24 << 20;
/** A message is for people. */
const MESSAGE_CHARACTERS = 4000;

/** What is wrong with how the decoder took this input; undefined when nothing is. */
export async function complaintAbout(target: FuzzTarget, input: Uint8Array): Promise<string | undefined> {
  const before = takenNow();
  let complaint: string | undefined;
  try {
    const decoding = target.decode(input);
    if (decoding instanceof Promise) await decoding;
  } catch (error) {
    complaint = complaintAboutError(error, target.codes);
  }
  const taken = takenNow() - before;
  return complaint ?? (taken > (target.takenBytes ?? TAKEN_BYTES) ? `took ${taken} bytes of memory` : undefined);
}

function complaintAboutError(error: unknown, codes: readonly ErrorCode[]): string | undefined {
  if (!isHoldfastError(error)) return error instanceof Error ? (error.stack ?? error.message) : `threw ${String(error)}`;
  if (!codes.includes(error.code)) return `failed as ${error.code}, wanted ${codes.join(' or ')}: ${error.stack}`;
  if (error.message.length > MESSAGE_CHARACTERS) return `failed with a message of ${error.message.length} characters: ${error.message.slice(0, 200)}`;
  return undefined;
}

/** Heap and what hangs on it outside: array buffers, zlib. */
function takenNow(): number {
  const { used_heap_size: heap, external_memory: external } = getHeapStatistics();
  return heap + external;
}
