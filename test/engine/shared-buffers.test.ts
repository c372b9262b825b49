import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { GrowingBuffers, SharedBuffers } from '../../lib/engine/shared-buffers.ts';

const SOURCE = pathToFileURL(join(__dirname, '..', '..', 'lib', 'engine', 'shared-buffers.ts')).href;
/** Takes a buffer, writes a mark, says so, again and again. */
const TAKER = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { SharedBuffers } = await import(workerData.source);
  const buffers = new SharedBuffers(workerData.shape);
  for (let turn = 0; turn < workerData.turns; turn++) {
    const index = buffers.take();
    const view = buffers.view(index);
    if (view[0] !== 0) throw new Error('a buffer was given to two');
    view[0] = 1;
    parentPort.postMessage(index);
  }
`;

function taker(buffers: SharedBuffers, turns: number): Worker {
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(TAKER)}`), { workerData: { source: SOURCE, shape: buffers.shape, turns } });
}

describe('shared buffers', () => {
  it('are given out once each, and again after they were given back', async () => {
    const buffers = SharedBuffers.create(2, 16);
    expect([buffers.tryTake(), buffers.tryTake(), buffers.tryTake()]).toEqual([0, 1, undefined]);
    const waiting = buffers.takeAsync();
    buffers.give(1);
    expect(await waiting).toBe(1);
    expect(() => buffers.view(2)).toThrow(RangeError);
  });

  it('hold threads back while all are in use, and lose none of them', async () => {
    const buffers = SharedBuffers.create(2, 16);
    const turns = 300;
    const threads = [taker(buffers, turns), taker(buffers, turns)];
    let seen = 0;
    let inUse = 0;
    for (const thread of threads) {
      thread.on('message', (index: number) => {
        seen++;
        expect(++inUse).toBeLessThanOrEqual(2);
        setImmediate(() => {
          inUse--;
          buffers.view(index)[0] = 0;
          buffers.give(index);
        });
      });
    }
    await Promise.all(threads.map((thread) => once(thread, 'exit')));
    expect(seen).toBe(turns * 2);
  });

  it('a thread that waits for one can be ended', async () => {
    const buffers = SharedBuffers.create(1, 16);
    buffers.take();
    const thread = taker(buffers, 1);
    await once(thread, 'online');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await thread.terminate()).toBe(1);
  });

  it('without threads grow instead of waiting', () => {
    const buffers = new GrowingBuffers(8);
    expect([buffers.take(), buffers.take(), buffers.take()]).toEqual([0, 1, 2]);
    buffers.give(1);
    expect(buffers.take()).toBe(1);
    expect(buffers.view(2)).toHaveLength(8);
    expect(() => buffers.view(3)).toThrow(RangeError);
  });
});
