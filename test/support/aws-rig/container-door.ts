import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { rmSync } from 'node:fs';

/** Body of Docker's `POST /containers/create`, the part that is touched here. */
export interface ContainerOrder {
  User?: string;
  Env?: string[];
  Labels?: Record<string, string>;
  HostConfig?: { ReadonlyRootfs?: boolean; Init?: boolean; CapDrop?: string[]; Memory?: number; Binds?: string[]; Tmpfs?: Record<string, string>; ExtraHosts?: string[] };
}

export interface ContainerDoor {
  readonly socket: string;
  stop(): Promise<void>;
}

const CREATE = /^(\/v[\d.]+)?(\/libpod)?\/containers\/create(\?|$)/;

/**
 * A socket before podman's. The emulator drops most of a task definition when it starts a container (the read-only root,
 * the user, volumes of EFS); `complete` puts it back into each order that passes. Everything else goes through as it is.
 */
export async function openContainerDoor(socket: string, podman: string, complete: (order: ContainerOrder) => Promise<void>): Promise<ContainerDoor> {
  const server = createServer((incoming, answer) => {
    const pass = incoming.method === 'POST' && CREATE.test(incoming.url ?? '') ? passOrder : passOn;
    pass(incoming, answer, { podman, complete }).catch((error: unknown) => {
      answer.writeHead(500, { 'content-type': 'application/json' }).end(JSON.stringify({ message: `the rig could not complete this container: ${String(error)}` }));
    });
  });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(socket, resolve));
  const stop = () => new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
  return { socket, stop };
}

interface Way {
  readonly podman: string;
  readonly complete: (order: ContainerOrder) => Promise<void>;
}

async function passOrder(incoming: IncomingMessage, answer: ServerResponse, way: Way): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const order = JSON.parse(Buffer.concat(chunks).toString()) as ContainerOrder;
  await way.complete(order);
  const body = Buffer.from(JSON.stringify(order));
  forward(incoming, answer, way.podman).end(body);
}

async function passOn(incoming: IncomingMessage, answer: ServerResponse, way: Way): Promise<void> {
  incoming.pipe(forward(incoming, answer, way.podman));
}

function forward(incoming: IncomingMessage, answer: ServerResponse, socketPath: string) {
  // Without the length of the old body: Node counts, or sends in chunks.
  const { 'content-length': _, ...headers } = incoming.headers;
  const isOrder = incoming.method === 'POST' && CREATE.test(incoming.url ?? '');
  const onward = request({ socketPath, method: incoming.method, path: incoming.url, headers: isOrder ? headers : incoming.headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  onward.on('error', (error) => {
    if (answer.headersSent) answer.destroy(error);
    else answer.writeHead(502, { 'content-type': 'application/json' }).end(JSON.stringify({ message: `podman does not answer: ${error.message}` }));
  });
  answer.on('close', () => onward.destroy());
  return onward;
}
