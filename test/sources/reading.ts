import { read } from 'node:fs';
import { isHoldfastError } from '../../lib/model/errors.ts';
import type { HoldfastError } from '../../lib/model/errors.ts';
import { TAIL_BYTES } from '../../lib/sources/source.ts';
import type { OpenStream, SourceStream, StreamSource } from '../../lib/sources/source.ts';
import { StreamInspection } from '../../lib/sources/stream-inspection.ts';
import type { Inspected } from '../../lib/sources/stream-inspection.ts';

/** What the engine does with a stream, without the engine. */
export async function readToEnd({ fd, inspection }: Pick<OpenStream, 'fd' | 'inspection'>, onFirst?: () => void): Promise<{ bytes: number; tail: Buffer; inspected?: Inspected }> {
  const inspector = inspection && new StreamInspection(inspection);
  const buffer = Buffer.allocUnsafe(1 << 20);
  let tail = Buffer.alloc(0);
  for (let bytes = 0; ; ) {
    const count = await new Promise<number>((resolve, reject) => read(fd, buffer, 0, buffer.length, null, (error, length) => (error ? (error.code === 'EBADF' ? resolve(0) : reject(error)) : resolve(length))));
    if (count === 0 || inspector?.hasFailed === true) return { bytes, tail, ...(inspector && { inspected: inspector.end() }) };
    if (bytes === 0) onFirst?.();
    bytes += count;
    inspector?.add(buffer.subarray(0, count));
    tail = Buffer.concat([tail, buffer.subarray(Math.max(0, count - TAIL_BYTES), count)]);
    tail = tail.subarray(Math.max(0, tail.length - TAIL_BYTES));
  }
}

export async function onlyStream(source: StreamSource, signal: AbortSignal = new AbortController().signal): Promise<SourceStream> {
  const streams: SourceStream[] = [];
  for await (const stream of source.streams(signal)) streams.push(stream);
  expect(streams).toHaveLength(1);
  return streams[0] as SourceStream;
}

export async function failure(work: Promise<unknown>): Promise<HoldfastError> {
  const outcome = await work.then(() => 'it succeeded', (error: unknown) => error);
  if (isHoldfastError(outcome)) return outcome;
  throw new Error(`wanted a HoldfastError, saw ${String(outcome)}`);
}
