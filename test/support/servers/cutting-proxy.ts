import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { freePort } from './servers.ts';

export interface CuttingProxy {
  readonly port: number;
  /** Connections that were cut. */
  readonly cuts: () => number;
  /** Bytes of answers that came on the last connection, to be cut or not. */
  readonly came: () => number;
  stop(): Promise<void>;
}

/** Passes TCP connections on to a server on this machine, and resets each that has brought so many bytes of answers; or ends it as if all were well. */
export async function startCuttingProxy(target: number, afterBytes: number, how: 'reset' | 'end' = 'reset'): Promise<CuttingProxy> {
  const sockets = new Set<Socket>();
  let [cuts, came] = [0, 0];
  const server = createServer((client) => {
    const upstream = connect(target, '127.0.0.1');
    let passed = (came = 0);
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined).on('close', () => (client.destroy(), upstream.destroy(), sockets.delete(socket))));
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      if (passed > afterBytes) return;
      came = passed += bytes.length;
      client.write(passed <= afterBytes ? bytes : bytes.subarray(0, Math.max(0, bytes.length - (passed - afterBytes))));
      if (passed <= afterBytes) return;
      cuts++;
      if (how === 'end') client.end();
      else client.resetAndDestroy();
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port, cuts: () => cuts, came: () => came,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
