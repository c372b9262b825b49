import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { freePort } from './servers.ts';

/** As much of the MySQL protocol as a client needs to connect and ask which version it talks to; lets everybody in. */
export async function startHandshakeServer(version: string): Promise<{ readonly port: number; readonly asked: readonly string[]; stop(): Promise<void> }> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => undefined).on('close', () => sockets.delete(socket)));
    converse(socket, version, asked);
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    port, asked,
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const OK = Buffer.from([0, 0, 0, 2, 0, 0, 0]);
const EOF_PACKET = Buffer.from([0xfe, 0, 0, 2, 0]);

function converse(socket: Socket, version: string, asked: string[]): void {
  const send = (sequence: number, body: Buffer) => void socket.write(Buffer.concat([Buffer.from([body.length & 255, body.length >> 8, 0, sequence]), body]));
  send(0, greeting(version));
  let isIn = false;
  let waiting = Buffer.alloc(0);
  socket.on('data', (bytes) => {
    waiting = Buffer.concat([waiting, bytes as Buffer]);
    while (waiting.length >= 4 && waiting.length >= 4 + waiting.readUIntLE(0, 3)) {
      const length = waiting.readUIntLE(0, 3);
      const [sequence, body] = [waiting[3] as number, waiting.subarray(4, 4 + length)];
      waiting = waiting.subarray(4 + length);
      if (!isIn) {
        isIn = true;
        send(sequence + 1, OK);
      } else if (body[0] === 3) answer(body.subarray(1).toString(), version, asked, send);
      else if (body[0] === 1) socket.end();
      else send(1, OK);
    }
  });
}

/** Protocol 10, `mysql_native_password`, no TLS. */
function greeting(version: string): Buffer {
  const capabilities = 0x0008a20d | 0x00080000;
  const tail = Buffer.alloc(13);
  return Buffer.concat([
    Buffer.from([10]), Buffer.from(`${version}\0`), Buffer.from([1, 0, 0, 0]), Buffer.from('12345678\0'), Buffer.from([capabilities & 255, (capabilities >> 8) & 255, 45, 2, 0, (capabilities >> 16) & 255, (capabilities >> 24) & 255, 21]),
    tail.subarray(0, 10), Buffer.from('123456789012\0'), Buffer.from('mysql_native_password\0'),
  ]);
}

function answer(statement: string, version: string, asked: string[], send: (sequence: number, body: Buffer) => void): void {
  asked.push(statement);
  if (!/^(select|show)/i.test(statement)) return send(1, OK);
  const row = /version\(\)/.test(statement) ? [version, 'backup@%', '0'] : /show grants/i.test(statement) ? ['GRANT ALL PRIVILEGES ON *.* TO `backup`@`%`'] : ['Ssl_cipher', ''];
  const text = (value: string) => Buffer.concat([Buffer.from([Buffer.byteLength(value)]), Buffer.from(value)]);
  const column = Buffer.concat([text('def'), text(''), text(''), text(''), text('c'), text(''), Buffer.from([12, 45, 0, 255, 0, 0, 0, 253, 0, 0, 0, 0, 0])]);
  const packets = [Buffer.from([row.length]), ...row.map(() => column), EOF_PACKET, Buffer.concat(row.map(text)), EOF_PACKET];
  packets.forEach((packet, index) => send(index + 1, packet));
}
