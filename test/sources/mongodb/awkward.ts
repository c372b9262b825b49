import { BSONRegExp, BSONSymbol, Binary, Code, DBRef, Decimal128, Double, Int32, Long, MaxKey, MinKey, ObjectId, Timestamp } from 'mongodb';
import type { Document, MongoClient } from 'mongodb';

/** Names that are no plain file names, and one that is too long for a file. */
export const ODD_NAMES = ['a/b c', 'ünïcödé 雪', '50%+1', 'dots.and-more~', '../up', `long-${'ü'.repeat(40)}`, 'x'.repeat(100)];
export const ODD_DATABASE = 'tïënda-雪';

/** One of everything that BSON can hold. */
export const VALUES: readonly Document[] = [
  { _id: 'numbers', double: new Double(1.5), whole: new Double(3), minusZero: new Double(-0), nan: new Double(NaN), infinite: new Double(Infinity), least: new Double(5e-324), int: new Int32(-1), long: Long.fromString('9007199254740993'), most: Long.MAX_VALUE },
  { _id: 'decimals', a: Decimal128.fromString('1.10'), b: Decimal128.fromString('9.999999999999999999999999999999999E+6144'), c: Decimal128.fromString('NaN'), d: Decimal128.fromString('-0E-6176') },
  { _id: new ObjectId(), time: new Date(-1), late: new Date(8_640_000_000_000_000), stamp: new Timestamp({ t: 4294967295, i: 1 }), yes: true, nothing: null },
  { _id: new Binary(Buffer.from([0, 255, 10]), 0x80), uuid: new Binary(Buffer.alloc(16, 7), 4), none: new Binary(Buffer.alloc(0)), pattern: new BSONRegExp('^a.*/\\', 'im') },
  { _id: { a: 1, b: [1, [2, [3, { c: 'd' }]]] }, '': 'empty name', 'with.dot': 1, '$dollar': 1, 'üñí 雪': '\u0000 in the middle \ud83d\ude00' },
  { _id: 'order', 10: 'keys that look like numbers', 9: 'in an order', 1: 'of their own' },
  { _id: 'ends', least: new MinKey(), most: new MaxKey() },
];

/** What the stand-in refuses or changes; these go through hand-made BSON only. */
export const RARE: Document = { code: new Code('return 1'), scoped: new Code('return x', { x: new Int32(1) }), symbol: new BSONSymbol('s'), reference: new DBRef('c', new ObjectId('0123456789abcdef01234567')) };

export function nested(depth: number): Document {
  let inner: Document = { end: 1 };
  for (let level = 0; level < depth; level++) inner = level % 2 === 0 ? { d: inner } : { d: [inner] };
  return inner;
}

export const INDEXES: readonly Document[] = [
  { v: 2, key: { 9: 1, 10: -1 }, name: 'numbers as names' },
  { v: 2, key: { email: 1 }, name: 'unique', unique: true, sparse: true },
  { v: 2, key: { at: 1 }, name: 'ttl', expireAfterSeconds: 100_000_000 },
  { v: 2, key: { state: 1, at: -1 }, name: 'partial', partialFilterExpression: { n: { $gt: Long.fromNumber(5) }, state: { $exists: true } } },
  { v: 2, key: { _fts: 'text', _ftsx: 1 }, name: 'text', weights: { s: 3, t: 1 }, default_language: 'german', language_override: 'language', textIndexVersion: 3 },
];

/** A shop with everything that may go wrong, in two databases. */
export async function fillShop(client: MongoClient): Promise<void> {
  const shop = client.db('shop');
  await shop.collection('values').insertMany(VALUES as never);
  await shop.collection('deep').insertOne(nested(90));
  await shop.createCollection('empty');
  await shop.collection('orders').insertMany(Array.from({ length: 5000 }, (_, n) => ({ n, email: `a${n}@example.com`, state: n % 3 === 0 ? 'open' : 'done', s: `text ${n}`.repeat(n % 40), at: new Date(1.7e12 + n) })));
  await shop.command({ createIndexes: 'orders', indexes: INDEXES });
  await shop.collection('large').insertMany([{ _id: 1 as never, bytes: 'x'.repeat(15 << 20) }, { _id: 2 as never, bytes: 'y'.repeat(1000) }]);
  for (const [index, name] of ODD_NAMES.entries()) await client.db(ODD_DATABASE).collection(name).insertOne({ index, name });
}
