import { framingOf } from '../../../lib/sources/redis/framing.ts';
import { RedisError, encodeCommand, parseReply } from '../../../lib/sources/redis/resp.ts';

const MARK = '0123456789abcdef0123456789abcdef01234567';

/** Taken in pieces of this size, until the end was seen. */
function taken(line: string, bytes: Buffer, piece: number) {
  const framing = framingOf(line);
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length && !framing.isEnded; at += piece) parts.push(Buffer.from(framing.take(bytes.subarray(at, at + piece))));
  return { body: Buffer.concat(parts).toString('latin1'), isEnded: framing.isEnded };
}

describe('where a snapshot ends (S4)', () => {
  const body = `REDIS${MARK.slice(0, 39)}x${MARK.slice(1)}body`;

  it.each([1, 3, 39, 40, 41, 1000])('is where its mark is, which is no part of it, in pieces of %i bytes', (piece) => {
    expect(taken(`$EOF:${MARK}`, Buffer.from(body + MARK), piece)).toEqual({ body, isEnded: true });
    for (const cut of [1, 20, 39, 40]) expect(taken(`$EOF:${MARK}`, Buffer.from(body + MARK).subarray(0, -cut), piece).isEnded).toBe(false);
  });

  it.each([1, 3, 1000])('is after the length that was announced, in pieces of %i bytes', (piece) => {
    expect(taken(`$${body.length}`, Buffer.from(`${body}*1\r\n$4\r\nPING\r\n`), piece)).toEqual({ body, isEnded: true });
    expect(taken(`$${body.length}`, Buffer.from(body).subarray(0, -1), piece)).toEqual({ body: body.slice(0, -1), isEnded: false });
  });

  it.each(['$EOF:short', '$-1', '$', '$0', '-ERR no', '$12x', `$EOF:${MARK}0`])('is not known after %j', (line) => {
    expect(() => framingOf(line)).toThrow(/^The server announced its snapshot with/);
  });
});

describe('words of the protocol (S4)', () => {
  it.each<[string, unknown]>([
    ['+OK\r\n', 'OK'], [':-12\r\n', -12], ['$-1\r\n', null], ['$3\r\na\r\n\r\n', Buffer.from('a\r\n')], ['*-1\r\n', null], ['*0\r\n', []],
    ['*2\r\n:1\r\n*1\r\n$1\r\nx\r\n', [1, [Buffer.from('x')]]], ['-ERR no\r\n', new RedisError('ERR no')],
  ])('%j is read whole, and waited for when a part of it came', (reply, value) => {
    expect(parseReply(Buffer.from(`${reply}+next\r\n`))).toEqual({ reply: value, next: reply.length });
    for (let cut = 0; cut < reply.length; cut++) expect([cut, parseReply(Buffer.from(reply).subarray(0, cut))]).toEqual([cut, { wanted: expect.any(Number) }]);
  });

  it('another protocol is told', () => {
    expect(() => parseReply(Buffer.from('HTTP/1.1 400 Bad Request\r\n'))).toThrow(/"HTTP\/1.1 400 Bad Request", which is not the protocol of Redis/);
  });

  it('a command is its words with their lengths, and a large value is not copied', () => {
    expect(Buffer.concat(encodeCommand(['SET', 'ü', Buffer.from([0, 13, 10])])).toString('latin1')).toBe('*3\r\n$3\r\nSET\r\n$2\r\n\xc3\xbc\r\n$3\r\n\0\r\n\r\n');
    const large = Buffer.alloc(1 << 20, 7);
    const pieces = encodeCommand(['SET', 'k', large, 'PX', '1']);
    expect(pieces[1]).toBe(large);
    expect(Buffer.concat(pieces)).toEqual(Buffer.concat([Buffer.from(`*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$${large.length}\r\n`), large, Buffer.from('\r\n$2\r\nPX\r\n$1\r\n1\r\n')]));
  });
});
