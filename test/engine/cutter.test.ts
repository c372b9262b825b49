import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cutStream } from '../../lib/engine/cutter.ts';
import type { StreamEnd } from '../../lib/engine/cutter.ts';
import { GrowingBuffers } from '../../lib/engine/shared-buffers.ts';
import { Chunker, gearTable } from '../../lib/repository/index.ts';
import { StreamInspection } from '../../lib/sources/stream-inspection.ts';
import { TINY_CHUNKS } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const chunker = new Chunker(gearTable(new Uint8Array(32).fill(3)), TINY_CHUNKS);
const BLOCK = TINY_CHUNKS.max * 2;

/** What all blocks held one after another, with the chunks' lengths; buffers are overwritten when they are given back. */
function cut(fd: number, stop?: Int32Array, inspection?: StreamInspection): { end: StreamEnd; content: Buffer; lengths: number[]; buffers: GrowingBuffers } {
  const buffers = new GrowingBuffers(BLOCK);
  const parts: Buffer[] = [];
  const lengths: number[] = [];
  const end = cutStream(
    fd,
    chunker,
    buffers,
    (block) => {
      parts.push(Buffer.from(buffers.view(block.buffer).slice(0, block.bytes)));
      lengths.push(...block.lengths);
      buffers.view(block.buffer).fill(0xee);
      buffers.give(block.buffer);
    },
    { stop, inspection },
  );
  return { end, content: Buffer.concat(parts), lengths, buffers };
}

function cutFile(content: Buffer, inspection?: StreamInspection): ReturnType<typeof cut> {
  const file = join(temporaryFolder(), 'content');
  writeFileSync(file, content);
  const fd = openSync(file, 'r');
  try {
    return cut(fd, undefined, inspection);
  } finally {
    closeSync(fd);
  }
}

function expectWhole({ end, content, lengths }: ReturnType<typeof cut>, wanted: Buffer): void {
  expect(content.equals(wanted)).toBe(true);
  expect(end.bytes).toBe(wanted.length);
  expect(Buffer.from(end.tail).equals(wanted.subarray(-4096))).toBe(true);
  expect(Buffer.from(end.sha256).equals(createHash('sha256').update(wanted).digest())).toBe(true);
  const expected: number[] = [];
  for (let at = 0; at < wanted.length; at += expected.at(-1) as number) expected.push(chunker.cut(wanted, at, wanted.length));
  expect(lengths).toEqual(expected);
}

describe('cutting a stream that is looked at', () => {
  /** A tar archive without its end. */
  const begun = () => {
    const header = Buffer.alloc(512);
    header.write('PG_VERSION', 0);
    header.write('0000600\0', 100);
    header.write('00000000003\0', 124);
    header.write('0', 156);
    header.write('        ', 148);
    header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
    return Buffer.concat([header, Buffer.from('18\n'), Buffer.alloc(509)]);
  };
  const inspection = () => new StreamInspection({ by: 'postgres-base-backup', walSegmentBytes: undefined });

  it('says at its end what was found, and changes nothing of what is cut', () => {
    const cutting = cutFile(begun(), inspection());
    expectWhole(cutting, begun());
    expect(cutting.end.inspected).toEqual({ failure: { code: 'damaged', message: expect.stringContaining('ends without the two blocks of zeros'), isEarly: false } });
  });

  it('ends as soon as nothing can make it good any more', () => {
    const { end } = cutFile(Buffer.concat([begun(), Buffer.alloc(BLOCK * 40, 7)]), inspection());
    expect(end.inspected).toEqual({ failure: { code: 'damaged', message: expect.stringContaining('a number that is none (at byte 1024)'), isEarly: true } });
    expect(end.bytes).toBeLessThan(BLOCK * 4);
  });

  it('says nothing when nobody looks', () => {
    expect(cutFile(begun()).end).not.toHaveProperty('inspected');
  });
});

describe('cutting a stream', () => {
  const { min, max } = TINY_CHUNKS;
  it.each([0, 1, min, min + 1, max - 1, max, max + 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 2 * BLOCK + 1, 300_001])('gives the chunks of the whole for %d bytes, as if they lay in one piece', (length) => {
    const content = randomBytes(length);
    expectWhole(cutFile(content), content);
  });

  it('keeps the last 4096 bytes, however they arrive', () => {
    for (const length of [4095, 4096, 4097, BLOCK + 10, BLOCK + 4096]) {
      const content = randomBytes(length);
      expect(Buffer.from(cutFile(content).end.tail).equals(content.subarray(-4096))).toBe(true);
    }
  });

  it('waits for a slow pipe that answers in odd pieces, also one that was made non-blocking', () => {
    for (const flags of [constants.O_RDONLY, constants.O_RDONLY | constants.O_NONBLOCK]) {
      const pipe = join(temporaryFolder(), 'pipe');
      execFileSync('mkfifo', [pipe]);
      const script = 'import sys, time\nout = open(sys.argv[1], "wb", buffering=0)\nopen(sys.argv[1] + ".opened", "w")\nsize = 1\nfor i in range(60):\n  out.write(bytes([i]) * size); size = size * 3 % 2999 + 1\n  if i % 20 == 0: time.sleep(0.02)\nout.close()';
      // A pipe ends when nobody can write to it any more: this end is closed when the writer surely has its own.
      const keeper = openSync(pipe, constants.O_RDWR);
      const child = spawn('python3', ['-c', script, pipe], { stdio: 'ignore' });
      const fd = openSync(pipe, flags);
      const wanted: Buffer[] = [];
      for (let index = 0, size = 1; index < 60; index++, size = ((size * 3) % 2999) + 1) wanted.push(Buffer.alloc(size, index));
      while (!existsSync(`${pipe}.opened`)) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      closeSync(keeper);
      expectWhole(cut(fd), Buffer.concat(wanted));
      closeSync(fd);
      child.unref();
    }
  });

  it('stops at the next read when it is told, endless streams too', () => {
    const fd = openSync('/dev/zero', 'r');
    const stop = Int32Array.of(1);
    expect(() => cut(fd, stop)).toThrow(expect.objectContaining({ code: 'interrupted' }));
    closeSync(fd);
  });

  it('a read that fails is told as such, and gives its buffer back', () => {
    const buffers = new GrowingBuffers(BLOCK);
    const folder = openSync(temporaryFolder(), 'r');
    for (let turn = 0; turn < 3; turn++) expect(() => cutStream(folder, chunker, buffers, () => undefined)).toThrow(expect.objectContaining({ code: 'source-failed', message: expect.stringContaining('EISDIR') }));
    closeSync(folder);
    expect(buffers.take()).toBe(0);
  });
});
