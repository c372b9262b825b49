import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';

export interface CutProxy {
  readonly port: number;
  /** Bytes that the server sent through it since it was made, or set to cut. */
  passed(): number;
  /** Once the server has sent so many bytes, counted from now over all connections, the one that carried the last is reset. */
  cutAfter(bytes: number): void;
  stop(): Promise<void>;
}

/** A TCP proxy on loopback that resets a connection (RST, not FIN) in the middle of what the server says. `port`: where it listens; any by default. */
export async function startCutProxy(serverPort: number, port = 0): Promise<CutProxy> {
  let passed = 0;
  let limit = Number.POSITIVE_INFINITY;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => sockets.delete(socket));
    }
    client.on('data', (bytes) => upstream.write(bytes));
    upstream.on('data', (bytes) => {
      const left = limit - passed;
      passed += bytes.length;
      if (left >= bytes.length) {
        // No faster than the client reads, so that the cut comes where it is meant.
        if (!client.write(bytes)) {
          upstream.pause();
          client.once('drain', () => upstream.resume());
        }
        return;
      }
      limit = Number.POSITIVE_INFINITY;
      const reset = () => {
        client.resetAndDestroy();
        upstream.resetAndDestroy();
      };
      if (left > 0) client.write(bytes.subarray(0, left), reset);
      else reset();
    });
    client.once('close', () => upstream.destroy());
    upstream.once('close', () => client.end());
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    passed: () => passed,
    cutAfter: (bytes) => {
      passed = 0;
      limit = bytes;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
