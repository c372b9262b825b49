import { createHash, randomBytes } from 'node:crypto';
import type { Reply } from '../../../lib/sources/redis/resp.ts';
import type { RedisServer } from '../../support/servers/redis.ts';

const FUNCTIONS = "#!lua name=holdfast\nredis.register_function('twice', function(keys, args) return args[1] * 2 end)";

/** Values of every type and in every way in which a server writes them, in three databases. */
export async function fillAwkward({ ask }: RedisServer, kind: 'redis' | 'valkey'): Promise<void> {
  await ask('SELECT', '0');
  await ask('SET', Buffer.from([0, 255, 13, 10, 0]), Buffer.from([0, 1, 2, 254, 0]));
  await ask('SET', '', 'the empty name');
  for (const number of ['7', '-3000', '70000', '12345678901234', 'a'.repeat(5000)]) await ask('SET', `text:${number.slice(0, 20)}`, number);
  await ask('SET', '12345', 'a name that is written as a number');
  await ask('SET', 'name '.repeat(40), 'a name that is written packed');
  await ask('SET', 'big', randomBytes(300_000));
  await ask('SET', 'expires', 'later', 'PX', '987654321');
  for (const [size, name] of [[3, 'small'], [700, 'large']] as const) {
    const members = Array.from({ length: size }, (_, at) => `${name} member ${at} ${'x'.repeat(at % 90)}`);
    await ask('RPUSH', `list:${name}`, ...members);
    await ask('SADD', `set:${name}`, ...members);
    await ask('SADD', `numbers:${name}`, ...members.map((_, at) => String(at * 1000)));
    await ask('HSET', `hash:${name}`, ...members.flatMap((member, at) => [member, String(at)]));
    await ask('ZADD', `sorted:${name}`, '-inf', 'lowest', '+inf', 'highest', ...members.flatMap((member, at) => [String(at / 3), member]));
  }
  await ask('RPUSH', 'list:wide', randomBytes(70_000), 'after');
  for (let at = 1; at <= 300; at++) await ask('XADD', 'stream', `${at}-1`, 'field', `value ${at}`, 'other', randomBytes(at % 50));
  await ask('XGROUP', 'CREATE', 'stream', 'readers', '0');
  await ask('XGROUP', 'CREATE', 'stream', 'idle', '$');
  await ask('XREADGROUP', 'GROUP', 'readers', 'first', 'COUNT', '40', 'STREAMS', 'stream', '>');
  await ask('XREADGROUP', 'GROUP', 'readers', 'second', 'COUNT', '5', 'STREAMS', 'stream', '>');
  await ask('XACK', 'stream', 'readers', '3-1', '4-1');
  await ask('XDEL', 'stream', '9-1', '300-1');
  await ask('PFADD', 'counted', ...Array.from({ length: 2000 }, (_, at) => String(at)));
  await ask('GEOADD', 'places', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania');
  if (kind === 'valkey') {
    await ask('HSET', 'hash:expiring', 'stays', '1', 'goes', '2');
    await ask('HEXPIRE', 'hash:expiring', '90000', 'FIELDS', '1', 'goes');
  }
  await ask('FUNCTION', 'LOAD', FUNCTIONS);
  await ask('SELECT', '3');
  await ask('SET', 'in three', '3');
  await ask('SELECT', '15');
  await ask('SET', 'in fifteen', '15', 'EX', '80000');
  await ask('SELECT', '0');
}

/** Every key of every database with a digest of its payload and the moment at which it ends, and all functions, in order. */
export async function everything({ ask, askAll }: Pick<RedisServer, 'ask' | 'askAll'>): Promise<string[]> {
  const found: string[] = [];
  for (const database of ['0', '3', '15']) {
    await ask('SELECT', database);
    const keys = (await ask('KEYS', '*')) as Buffer[];
    const [ends, types] = [await askAll(keys.map((key) => ['PEXPIRETIME', key])), await askAll(keys.map((key) => ['TYPE', key]))];
    const values = await askAll(keys.map((key, at) => [HOW[types[at] as string] ?? 'DUMP', key]));
    for (const [at, key] of keys.entries()) found.push(`${database} ${key.toString('hex')} ${ends[at] as number} ${createHash('sha256').update(textOf(types[at], values[at])).digest('hex')}`);
  }
  await ask('SELECT', '0');
  return [...found.sort(), ((await ask('FUNCTION', 'DUMP')) as Buffer).toString('hex')];
}

/** What has no order, and is hashed anew by each server, is compared by its members in order; everything else by its payload. */
const HOW: Readonly<Record<string, string>> = { set: 'SMEMBERS', hash: 'HGETALL' };

function textOf(type: Reply | undefined, value: Reply | undefined): string {
  if (Buffer.isBuffer(value)) return value.toString('hex');
  if (!Array.isArray(value)) throw new Error(`a value is ${JSON.stringify(value)}`);
  const parts = (value as Buffer[]).map((part) => part.toString('hex'));
  return (type === 'hash' ? parts.flatMap((field, at, all) => (at % 2 === 0 ? [`${field}=${all[at + 1]}`] : [])) : parts).sort().join(' ');
}
