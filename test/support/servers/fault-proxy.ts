import { createServer, request as sendRequest } from 'node:http';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A call as rules see it. `action` is the operation of services that name it in a header (`X-Amz-Target`), or empty. */
export interface ProxiedCall {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly action: string;
  readonly headers: IncomingHttpHeaders;
}

export type FaultEffect =
  /** Answered by the proxy; the server never sees the request. */
  | { readonly kind: 'answer'; readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  /** The connection breaks before the server saw anything. */
  | { readonly kind: 'reset' }
  /** The server carried the request out, and its answer is lost. */
  | { readonly kind: 'lost-response' }
  /** Headers and this part of the body (half when absent) arrive, then the connection breaks. */
  | { readonly kind: 'cut-body'; readonly bytes?: number }
  /** Headers and this part of the body (half when absent) arrive, then nothing more. */
  | { readonly kind: 'stall-body'; readonly bytes?: number }
  /** One bit in the middle of the answer's body differs. */
  | { readonly kind: 'flip' }
  /** The server never sees this header of the request, as if it did not know what it means. */
  | { readonly kind: 'ignored-header'; readonly header: string }
  | { readonly kind: 'delay'; readonly milliseconds: number };

/** The first rule that matches a call, and whose turn it is, plays. Every rule counts the calls that match it, from 1. */
export interface FaultRule {
  readonly effect: FaultEffect;
  readonly method?: string;
  readonly path?: RegExp;
  /** For example `/\.UpdateItem$/` or `/RunTask$/`. */
  readonly action?: RegExp;
  readonly matches?: (call: ProxiedCall) => boolean;
  /** Only this call. */
  readonly nth?: number;
  /** Every so many-th call. Without `nth` and `every`: all of them. */
  readonly every?: number;
  /** Passes over so many at first: with it rules that share a rhythm take turns. */
  readonly after?: number;
  /** At most so often. */
  readonly times?: number;
}

export interface FaultProxy {
  readonly endpoint: string;
  /** Everything that was asked, also what never reached the server; for each what was played. */
  readonly calls: readonly (ProxiedCall & { readonly effect: FaultEffect | undefined })[];
  /** Replaces the rules; counting begins anew. */
  script(rules: readonly FaultRule[]): void;
  stop(): Promise<void>;
}

/** What S3 says when it is asked too often. */
export const SLOW_DOWN: FaultEffect = { kind: 'answer', status: 503, headers: { 'content-type': 'application/xml' }, body: '<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>' };

/** An answer of the services that speak JSON (DynamoDB, KMS, ECS, Step Functions). */
export function jsonFault(status: number, type: string, message = 'as the script says'): FaultEffect {
  return { kind: 'answer', status, headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amzn-errortype': type }, body: JSON.stringify({ __type: type, message }) };
}

/** A real HTTP proxy on loopback in front of one server, for any service behind it; without rules it changes nothing. */
export async function startFaultProxy(upstream: string, rules: readonly FaultRule[] = []): Promise<FaultProxy> {
  const script = new Script(rules);
  const calls: (ProxiedCall & { effect: FaultEffect | undefined })[] = [];
  const server = createServer((request, response) => {
    const call = callOf(request);
    const effect = script.next(call);
    calls.push({ ...call, effect });
    play(new URL(upstream), { request, response, effect }).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    script: (next) => script.replace(next),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

class Script {
  #rules: readonly { readonly rule: FaultRule; seen: number; played: number }[] = [];

  constructor(rules: readonly FaultRule[]) {
    this.replace(rules);
  }

  replace(rules: readonly FaultRule[]): void {
    this.#rules = rules.map((rule) => ({ rule, seen: 0, played: 0 }));
  }

  next(call: ProxiedCall): FaultEffect | undefined {
    const matching = this.#rules.filter(({ rule }) => isMeant(rule, call));
    for (const state of matching) state.seen += 1;
    const due = matching.find(({ rule, seen, played }) => isTurn(rule, seen) && played < (rule.times ?? Number.POSITIVE_INFINITY));
    if (due) due.played += 1;
    return due?.rule.effect;
  }
}

function isMeant({ method, path, action, matches }: FaultRule, call: ProxiedCall): boolean {
  return (method === undefined || method === call.method) && (path?.test(call.path) ?? true) && (action?.test(call.action) ?? true) && (matches?.(call) ?? true);
}

function isTurn({ nth, every, after = 0 }: FaultRule, seen: number): boolean {
  if (nth !== undefined) return seen === nth;
  return seen > after && (every === undefined || (seen - after) % every === 0);
}

function callOf({ method = '', url = '', headers }: IncomingMessage): ProxiedCall {
  return { method, path: url, action: String(headers['x-amz-target'] ?? ''), headers };
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly effect: FaultEffect | undefined;
}

async function play(upstream: URL, { request, response, effect }: Exchange): Promise<void> {
  const body = await bytesOf(request);
  if (effect?.kind === 'answer') {
    response.writeHead(effect.status, effect.headers).end(effect.body ?? '');
    return;
  }
  if (effect?.kind === 'reset') {
    request.socket.resetAndDestroy();
    return;
  }
  if (effect?.kind === 'delay') await new Promise((resolve) => setTimeout(resolve, effect.milliseconds).unref());
  if (effect?.kind === 'ignored-header') delete request.headers[effect.header];
  const answer = await forwarded(upstream, request, body);
  const bytes = await bytesOf(answer);
  if (effect?.kind === 'lost-response') {
    request.socket.resetAndDestroy();
    return;
  }
  // The length belongs to the body as it came, also for HEAD, whose body is empty.
  response.writeHead(answer.statusCode ?? 502, withoutHopByHop(answer.headers));
  if (effect?.kind === 'cut-body' || effect?.kind === 'stall-body') {
    response.write(bytes.subarray(0, effect.bytes ?? bytes.byteLength >>> 1), () => {
      if (effect.kind === 'cut-body') setTimeout(() => request.socket.resetAndDestroy(), 20);
    });
    return;
  }
  if (effect?.kind === 'flip' && bytes.byteLength > 0) bytes[bytes.byteLength >>> 1] = (bytes[bytes.byteLength >>> 1] as number) ^ 1;
  response.end(bytes);
}

/** The Host stays as the client wrote it: it is part of the signature. */
function forwarded(upstream: URL, { method, url, headers }: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
  const { expect: _expect, 'transfer-encoding': _chunked, connection: _connection, ...kept } = headers;
  return new Promise((resolve, reject) => {
    const sent = sendRequest({ host: upstream.hostname, port: upstream.port, method, path: url, headers: { ...kept, ...(body.byteLength > 0 && { 'content-length': String(body.byteLength) }) } }, resolve);
    sent.once('error', reject);
    sent.end(body);
  });
}

function withoutHopByHop(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { connection: _connection, 'transfer-encoding': _chunked, 'keep-alive': _keepAlive, ...kept } = headers;
  return kept;
}

async function bytesOf(stream: IncomingMessage): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream as AsyncIterable<Buffer>));
}
