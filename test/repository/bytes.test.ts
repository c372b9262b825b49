import fc from 'fast-check';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { ByteReader, ByteWriter } from '../../lib/repository/bytes.ts';

const number = fc.oneof(fc.nat(300), fc.maxSafeNat(), fc.integer({ min: 0, max: 52 }).map((bits) => 2 ** bits), fc.integer({ min: 1, max: 53 }).map((bits) => 2 ** bits - 1));

function expectDamaged(work: () => unknown): void {
  let seen: unknown;
  try {
    work();
  } catch (error) {
    seen = error;
  }
  expect(isHoldfastError(seen, 'damaged')).toBe(true);
}

describe('bytes of the format (format §1)', () => {
  it('every number up to 2^53 - 1 comes back, in at most 8 bytes', () => {
    fc.assert(
      fc.property(number, (value) => {
        const bytes = new ByteWriter(1).varint(value).finish();
        expect(bytes.length).toBeLessThanOrEqual(8);
        expect(new ByteReader(bytes, 'test').varint()).toBe(value);
      }),
    );
    for (const value of [0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER]) expect(new ByteReader(new ByteWriter(0).varint(value).view(), 'test').varint()).toBe(value);
  });

  it('signed numbers come back up to half of that', () => {
    fc.assert(fc.property(fc.integer({ min: -(2 ** 52), max: 2 ** 52 - 1 }), (value) => expect(new ByteReader(new ByteWriter(0).zigzag(value).view(), 'test').zigzag()).toBe(value)));
  });

  it('refuses numbers above 2^53 - 1, endless ones, and those that end early', () => {
    expectDamaged(() => new ByteReader(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10), 'test').varint());
    expectDamaged(() => new ByteReader(new Uint8Array(20).fill(0x80), 'test').varint());
    expectDamaged(() => new ByteReader(new Uint8Array(20).fill(0xff), 'test').varint());
    expectDamaged(() => new ByteReader(Uint8Array.of(0x80), 'test').varint());
    expectDamaged(() => new ByteReader(new Uint8Array(3), 'test').u32());
  });

  it('a reader never reads outside of its bytes, whatever a length or a count announces', () => {
    const whole = new ByteWriter(0).varint(2 ** 52).bytes(new Uint8Array(100)).finish();
    expectDamaged(() => new ByteReader(whole.subarray(0, 20), 'test').sized());
    expectDamaged(() => new ByteReader(whole.subarray(0, 20), 'test').latin1(50));
    expectDamaged(() => new ByteReader(whole, 'test').count(1));
    expectDamaged(() => new ByteReader(new ByteWriter(0).varint(3).bytes(new Uint8Array(5)).view(), 'test').count(2));
    expect(new ByteReader(new ByteWriter(0).varint(3).bytes(new Uint8Array(6)).view(), 'test').count(2)).toBe(3);
    expectDamaged(() => new ByteReader(Uint8Array.of(1), 'test').end());
  });

  it('a writer that grows keeps what it holds', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 50 })), (parts) => {
        const writer = new ByteWriter(1);
        for (const part of parts) writer.sized(part);
        const reader = new ByteReader(writer.view(), 'test');
        for (const part of parts) expect(Buffer.from(reader.sized()).equals(part)).toBe(true);
        reader.end();
      }),
    );
  });

  it('byte strings and u32 come back as they were', () => {
    const writer = new ByteWriter(1).u32(0xfedcba98).latin1('\x00\x7f\x80\xff').latin1('shared rest', 7);
    const reader = new ByteReader(writer.view(), 'test');
    expect(reader.u32()).toBe(0xfedcba98);
    expect(reader.latin1(4)).toBe('\x00\x7f\x80\xff');
    expect(reader.latin1(4)).toBe('rest');
  });
});
