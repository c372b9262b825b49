import { once } from 'node:events';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { ChunkTable, ChunkTables } from '../../lib/engine/chunk-table.ts';
import type { ClaimingOrder } from '../support/claiming-thread.ts';

const idOf = (index: number) => createHash('sha256').update(String(index)).digest();

describe('the table of known chunks', () => {
  it('knows what was claimed, and by whom first', () => {
    const table = ChunkTable.create(64);
    expect(table.find(idOf(1))).toBe(-1);
    expect(table.claim(idOf(1), 7)).toBe(-1);
    expect(table.claim(idOf(1), 8)).toBe(7);
    expect(table.find(idOf(1))).toBe(7);
    expect(table.size).toBe(1);
  });

  it('tells ids apart that begin alike, and finds those that wrap around its end', () => {
    const table = ChunkTable.create(64);
    const ids = Array.from({ length: 40 }, (_, index) => Buffer.concat([Buffer.alloc(31, 0xff), Buffer.of(index)]));
    for (const [index, id] of ids.entries()) expect(table.claim(id, index)).toBe(-1);
    for (const [index, id] of ids.entries()) expect(table.find(id)).toBe(index);
  });

  it('is as a map, however small its tables began', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(400), fc.nat(1000)), { maxLength: 600 }), (claims) => {
        const tables = ChunkTables.create(64);
        const model = new Map<number, number>();
        for (const [id, pack] of claims) {
          tables.growIfCrowded();
          expect(tables.claim(idOf(id), pack)).toBe(model.get(id) ?? -1);
          if (!model.has(id)) model.set(id, pack);
        }
        for (const [id, pack] of model) expect(tables.find(idOf(id))).toBe(pack);
        expect(tables.size).toBe(model.size);
      }),
      { numRuns: 20 },
    );
  });

  it('when full takes nothing more in, forgets nothing, and does not search for ever', () => {
    const table = ChunkTable.create(64);
    for (let index = 0; index < 200; index++) expect(table.claim(idOf(index), index)).toBe(-1);
    expect(table.size).toBeLessThanOrEqual(64 * 0.95 + 1);
    for (let index = 0; index < table.size; index++) expect(table.find(idOf(index))).toBe(index);
    expect(table.find(idOf(199))).toBe(-1);
  });

  it('a thread that was not told of a new table yet still knows the older ones', () => {
    const tables = ChunkTables.create(64);
    const elsewhere = new ChunkTables(tables.buffers);
    for (let index = 0; index < 60; index++) {
      tables.growIfCrowded();
      tables.claim(idOf(index), index);
    }
    expect(tables.buffers.length).toBe(2);
    expect(elsewhere.find(idOf(0))).toBe(0);
    elsewhere.adopt(tables.buffers);
    expect(elsewhere.size).toBe(tables.size);
  });

  it('makes room for many at once', () => {
    const tables = ChunkTables.create(64);
    tables.makeRoomFor(10);
    expect(tables.buffers).toHaveLength(1);
    tables.makeRoomFor(10_000);
    expect(tables.buffers).toHaveLength(2);
    for (let index = 0; index < 10_000; index++) expect(tables.claim(idOf(index), 1)).toBe(-1);
    expect(tables.size).toBe(10_000);
    expect(tables.growIfCrowded()).toBe(false);
  });

  it('of many threads that claim the same chunks exactly one owns each', async () => {
    const ids = 20_000;
    const threads = 4;
    const { buffers } = ChunkTables.create(ids * 2);
    const start = new SharedArrayBuffer(4);
    const workers = Array.from({ length: threads }, (_, pack) => new Worker(join(__dirname, '..', 'support', 'claiming-thread.ts'), { workerData: { buffers, start, pack, ids } satisfies ClaimingOrder }));
    await Promise.all(workers.map((worker) => once(worker, 'message')));
    const answering = Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as Int32Array));
    Atomics.store(new Int32Array(start), 0, 1);
    Atomics.notify(new Int32Array(start), 0);
    const answers = await answering;
    await Promise.all(workers.map((worker) => worker.terminate()));
    const tables = new ChunkTables(buffers);
    expect(tables.size).toBe(ids);
    for (let id = 0; id < ids; id++) {
      const owners = answers.flatMap((answer, thread) => (answer[id] === -1 ? [thread] : []));
      const told = new Set(answers.flatMap((answer) => (answer[id] === -1 ? [] : [answer[id]])));
      if (owners.length !== 1 || told.size !== 1 || !told.has(owners[0]) || tables.find(idOf(id)) !== owners[0]) throw new Error(`chunk ${id} is owned by ${owners.join(', ')}, others were told ${[...told].join(', ')}`);
    }
  });
});
