import { BSON, Binary } from 'mongodb';
import { fromText } from '../../../lib/model/byte-string.ts';
import { extendedJson, parseExtendedJson } from '../../../lib/sources/mongodb/extended-json.ts';
import { collectionOfFile, documentsEntry, escapedCollection, metadataEntry } from '../../../lib/sources/mongodb/names.ts';
import { documentBatches } from '../../../lib/sources/mongodb/split-documents.ts';
import { parseMongodbUrl } from '../../../lib/local/mongodb-places.ts';
import { failure } from '../reading.ts';
import { RARE, VALUES } from './awkward.ts';

describe('names of files as mongodump gives them (S3)', () => {
  it.each([
    ['plain', 'plain'], ['a b', 'a+b'], ['a/b', 'a%2Fb'], ['a+b%', 'a%2Bb%25'], ['ü', '%C3%BC'], ['fs.files', 'fs.files'], ['a$b', 'a%24b'], ['a~b-c_d', 'a~b-c_d'], ["it's (*)!", 'it%27s+%28%2A%29%21'],
  ])('%s', (name, file) => {
    expect(escapedCollection(name)).toBe(file);
    expect(collectionOfFile(file)).toBe(name);
  });

  it('are cut beyond 238 bytes, with the SHA-1 of the name, and then the metadata has the name', () => {
    expect(escapedCollection('x'.repeat(238))).toBe('x'.repeat(238));
    const cut = escapedCollection('x'.repeat(239));
    expect(cut).toMatch(/^x{208}%24[A-Za-z0-9_-]{27}$/);
    expect(cut).toHaveLength(238);
    expect(collectionOfFile(cut)).toBeUndefined();
    expect([documentsEntry('db', 'a/b'), metadataEntry('db', 'a/b')]).toEqual([fromText('db/a%2Fb.bson'), fromText('db/a%2Fb.metadata.json')]);
  });
});

describe('canonical extended JSON (S3)', () => {
  it.each([...VALUES, RARE].map((value, index) => [index, value] as const))('of value %i is what the driver itself writes', (_, value) => {
    const bytes = Buffer.from(BSON.serialize(value));
    const written = extendedJson(bytes);
    expect(JSON.parse(written)).toEqual(JSON.parse(BSON.EJSON.stringify(BSON.deserialize(bytes, { promoteValues: false, promoteBuffers: false, bsonRegExp: true }), { relaxed: false }).replace('5e-324', '5E-324')));
    if (value !== RARE) expect(Buffer.from(BSON.serialize(parseExtendedJson(written, 'value')))).toEqual(bytes);
  });

  it('keeps keys in their order, and operators of queries as they are', () => {
    const text = '{"10":{"$numberInt":"1"},"9":{"$numberInt":"-1"},"b":{"1":true,"0":["x : y",{"3":null,"2":""}]},"q":{"$gt":{"$date":{"$numberLong":"5"}}}}';
    expect(extendedJson(Buffer.from(BSON.serialize(parseExtendedJson(text, 'index'))))).toBe(text);
  });

  it.each(['', '[1]', '{"a":', '{"a":{"$oid":"zz"}}'])('%j is refused', (text) => {
    expect(() => parseExtendedJson(text, 'The query for a.b')).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringContaining('The query for a.b') }));
  });
});

describe('a list of documents in batches (S3)', () => {
  const documents = Array.from({ length: 300 }, (_, n) => Buffer.from(BSON.serialize({ n, b: new Binary(Buffer.alloc(n * 100)) })));
  const whole = Buffer.concat(documents);
  const pieces = async function* (bytes: Buffer, size: number) {
    const lent = Buffer.alloc(size);
    for (let at = 0; at < bytes.length; at += size) yield lent.subarray(0, bytes.copy(lent, 0, at, at + size));
  };
  const batches = (bytes: Buffer, size = 1000, most = 7) => Array.fromAsync(documentBatches(pieces(bytes, size), 'shop/orders.bson', most));

  it.each([1, 3, 1000, 65_536, 10_000_000])('gives every byte once, whatever the pieces: %i bytes each', async (size) => {
    const bytes = size < 10 ? whole.subarray(0, documents.slice(0, 20).reduce((sum, { length }) => sum + length, 0)) : whole;
    const given = await batches(bytes, size);
    expect(Buffer.concat(given.map((batch) => batch.bytes)).equals(bytes)).toBe(true);
    expect(Math.max(...given.map((batch) => batch.documents))).toBeLessThanOrEqual(7);
    expect(given.reduce((sum, batch) => sum + batch.documents, 0)).toBe(size < 10 ? 20 : 300);
  });

  it.each<[string, Buffer, string]>([
    ['ends within a document', whole.subarray(0, -1), 'ends within a document'],
    ['has an impossible length', Buffer.from([4, 0, 0, 0, 0]), 'says that it has 4 bytes'],
    ['has a document that does not end in zero', Buffer.from([5, 0, 0, 0, 1]), 'does not end in a zero byte'],
  ])('that %s is damaged', async (_, bytes, words) => {
    expect(await failure(batches(bytes))).toMatchObject({ code: 'damaged', message: expect.stringContaining(words) });
  });
});

describe('a URL to restore into (S3, R1)', () => {
  it.each<[string, ReturnType<typeof parseMongodbUrl>]>([
    ['mongodb://h', { database: '', connection: { uri: 'mongodb://h/' } }],
    ['mongodb://u%40x@a:1,b:2/shop?replicaSet=rs0&ca-file=%2Fca.pem', { database: 'shop', connection: { uri: 'mongodb://a:1,b:2/?replicaSet=rs0', user: 'u@x', caFile: '/ca.pem' } }],
    ['mongodb+srv://h.example/sh%C3%BCp', { database: 'shüp', connection: { uri: 'mongodb+srv://h.example/' } }],
  ])('%s', (text, place) => {
    expect(parseMongodbUrl(text)).toEqual(place);
  });

  it.each(['mongodb://', 'mongodb://@h/x', 'mongodb://h/a/b'])('%s is refused', (text) => {
    expect(() => parseMongodbUrl(text)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
