import { createHash } from 'node:crypto';
import { PackedChunks } from '../../lib/validation/packed-chunks.ts';

function id(number: number): Buffer {
  return createHash('sha256').update(`chunk ${number}`).digest();
}

test('a chunk is found in every pack that lists it, with its length there, and in no other', () => {
  const chunks = new PackedChunks();
  const count = 5000;
  for (let number = 0; number < count; number++) for (const pack of [number % 7, 7 + (number % 3)]) chunks.add(pack, id(number), number * 3 + pack);
  for (let number = 0; number < count; number++) {
    for (let pack = 0; pack < 10; pack++) {
      const position = chunks.find(pack, id(number));
      const isThere = pack === number % 7 || pack === 7 + (number % 3);
      expect(position >= 0).toBe(isThere);
      if (isThere) expect(chunks.lengthAt(position)).toBe(number * 3 + pack);
    }
  }
  expect(chunks.find(0, id(count))).toBe(-1);
});

test('ids that share their first bits are told apart', () => {
  const chunks = new PackedChunks();
  const like = (last: number) => Buffer.concat([Buffer.alloc(31, 9), Buffer.of(last)]);
  for (let last = 0; last < 200; last++) chunks.add(1, like(last), last);
  expect(Array.from({ length: 200 }, (_, last) => chunks.lengthAt(chunks.find(1, like(last))))).toEqual(Array.from({ length: 200 }, (_, last) => last));
  expect(chunks.find(1, like(200))).toBe(-1);
});

test('damage is marked in one pack only, and survives growth', () => {
  const chunks = new PackedChunks();
  chunks.add(1, id(1), 10);
  chunks.add(2, id(1), 10);
  chunks.markDamaged(1, id(1));
  chunks.markDamaged(3, id(1));
  for (let number = 2; number < 3000; number++) chunks.add(1, id(number), 1);
  expect([chunks.isDamagedAt(chunks.find(1, id(1))), chunks.isDamagedAt(chunks.find(2, id(1))), chunks.isDamagedAt(chunks.find(1, id(2)))]).toEqual([true, false, false]);
});
