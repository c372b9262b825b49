import { parseRedisDirectory, parseRedisUrl } from '../../lib/local/redis-places.ts';

it.each([
  ['redis://cache.internal', { connection: { host: 'cache.internal', port: 6379, sslMode: 'disable' } }],
  ['valkey://me@cache.internal:7000/3', { connection: { host: 'cache.internal', port: 7000, sslMode: 'disable', user: 'me' }, database: 3 }],
  ['rediss://b%C3%A4r@[::1]:6380/', { connection: { host: '::1', port: 6380, sslMode: 'verify-full', user: 'bär' } }],
  ['valkeys://h/0?ssl-mode=require&ssl-root-cert=/ca.pem', { connection: { host: 'h', port: 6379, sslMode: 'require', sslRootCert: '/ca.pem' }, database: 0 }],
  ['redis:///?socket=/run/redis.sock', { connection: { host: '/run/redis.sock', port: 6379, sslMode: 'disable' } }],
])('%s names a server (S4)', (url, place) => {
  expect(parseRedisUrl(url)).toEqual(place);
});

it.each(['redis://', 'redis://h/three', 'redis://h/3/4', 'redis://h?ssl-mode=off', 'redis://h?tls=yes'])('%s is refused (S4)', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(/^--to-database is .*, wanted redis:\/\/USER@HOST:PORT\/NUMBER/);
});

it.each([['redis-directory:/var/lib/redis', '/var/lib/redis'], ['redis-directory:///var/lib/redis', '/var/lib/redis'], ['redis-directory:here', '/work/here'], ['redis-directory:../a b', '/a b']])('%s names a directory (S4)', (url, path) => {
  expect(parseRedisDirectory(url, { workingFolder: '/work' })).toBe(path);
});

it.each(['redis-directory:', 'redis-directory://host/dir'])('%s names none (S4)', (url) => {
  expect(() => parseRedisDirectory(url, { workingFolder: '/work' })).toThrow(/wanted redis-directory:PATH/);
});
