import { sourceContract } from '../../contract/source.ts';
import { startCuttingProxy } from '../../support/servers/cutting-proxy.ts';
import type { CuttingProxy } from '../../support/servers/cutting-proxy.ts';
import { startRedis } from '../../support/servers/redis.ts';
import type { RedisServer } from '../../support/servers/redis.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { everything } from './awkward.ts';
import { sourceFor } from './desk.ts';

const temporary = temporaryFolder();
const proxies: CuttingProxy[] = [];
let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
  await server.ask('EVAL', "for i = 1, 2000 do redis.call('SET', i, string.rep(redis.sha1hex(i), 30) .. redis.sha1hex(-i)) end", '0');
  await server.ask('CONFIG', 'SET', 'rdbcompression', 'no');
}, 30_000);
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.stop()));
  await server?.stop();
});

sourceContract('redis', () => ({
  temporaryFolder: temporary,
  secrets: [server.password],
  state: () => everything(server),
  good: () => sourceFor(server, temporary),
  failing: async () => {
    const proxy = await startCuttingProxy(server.port, 1_000_000);
    proxies.push(proxy);
    return sourceFor(server, temporary, { connection: { port: proxy.port } });
  },
  refused: () => sourceFor(server, temporary, { connection: { password: 'another one' } }),
}));
