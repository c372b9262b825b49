import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { Clock } from '../../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { authorization } from './connection.ts';
import type { SearchConnection } from './connection.ts';
import { answerFailure, connectionFailure } from './failures.ts';
import type { FailurePlace, ServerAnswer } from './failures.ts';

export interface SearchCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** With the query; names in it are encoded already. */
  readonly path: string;
  readonly body?: string | Buffer;
  readonly type?: 'application/json' | 'application/x-ndjson';
  /** Statuses beside 2xx that are an answer and no failure. */
  readonly accepts?: readonly number[];
  /** A larger answer is not taken: fails as `too-large`. */
  readonly limitBytes?: number;
  /** False where asking a second time means something else than once. */
  readonly isRepeatable?: boolean;
}

/** Longer silence than this is no waiting any more; servers answer searches and bulks within seconds. */
const SILENCE_MILLISECONDS = 120_000;
const ATTEMPTS = 5;
const PAUSE_MILLISECONDS = 250;

/** What is thrown for answers above the limit that was given. */
export class TooLarge extends Error {}

/**
 * Talks to a cluster by HTTP and answers the bytes of bodies: no client library, because theirs parse every number into a
 * double (decision 0033). Close it at the end.
 */
export class SearchClient implements FailurePlace {
  readonly connection: SearchConnection;
  readonly role: FailurePlace['role'];
  readonly #agent: HttpAgent;
  readonly #clock: Pick<Clock, 'sleep'>;

  constructor({ connection, role }: FailurePlace, clock: Pick<Clock, 'sleep'>) {
    const { endpoint, ca } = connection;
    this.connection = connection;
    this.role = role;
    this.#clock = clock;
    this.#agent = endpoint.startsWith('https:') ? new HttpsAgent({ keepAlive: true, ...(ca !== undefined && { ca }) }) : new HttpAgent({ keepAlive: true });
  }

  close(): void {
    this.#agent.destroy();
  }

  /** The body of a success. Repeats what fails in passing. Fails as `source-failed`, `permission`, `unavailable`, `interrupted`. */
  async ask(call: SearchCall, signal: AbortSignal): Promise<ServerAnswer> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await this.#send(call, signal);
        if ((answer.status >= 200 && answer.status < 300) || call.accepts?.includes(answer.status)) return answer;
        throw answerFailure(answer, `${call.method} ${call.path.split('?')[0]}`, this);
      } catch (error) {
        if (signal.aborted) throw new HoldfastError('interrupted', 'Asking the cluster was stopped.', { cause: signal.reason });
        if (attempt === ATTEMPTS || call.isRepeatable === false || !isPassing(error)) throw error;
        await this.#clock.sleep(PAUSE_MILLISECONDS * 2 ** attempt, signal);
      }
    }
  }

  async json<T>(call: SearchCall, signal: AbortSignal): Promise<T> {
    return this.parsed<T>((await this.ask(call, signal)).body, call);
  }

  /** Fails as `source-failed` where the answer is none of a cluster. */
  parsed<T>(body: Buffer, { method, path }: Pick<SearchCall, 'method' | 'path'>): T {
    try {
      return JSON.parse(body.toString('utf8')) as T;
    } catch {
      throw answerFailure({ status: 200, body }, `${method} ${path}, an answer that is not JSON`, this);
    }
  }

  #send(call: SearchCall, signal: AbortSignal): Promise<ServerAnswer> {
    const { endpoint } = this.connection;
    const header = authorization(this.connection);
    const headers = {
      accept: 'application/json',
      ...(header !== undefined && { authorization: header }),
      ...(call.body !== undefined && { 'content-type': call.type ?? 'application/json', 'content-length': String(Buffer.byteLength(call.body)) }),
    };
    const send = endpoint.startsWith('https:') ? httpsRequest : httpRequest;
    return new Promise<ServerAnswer>((resolve, reject) => {
      const request = send(`${endpoint}${call.path}`, { method: call.method, headers, agent: this.#agent, signal, timeout: SILENCE_MILLISECONDS });
      request.on('timeout', () => request.destroy(new Error(`it said nothing for ${SILENCE_MILLISECONDS / 1000} seconds`)));
      request.on('error', (cause) => reject(this.#failed(cause)));
      request.on('response', (response) => void collect(request, response, call.limitBytes).then(resolve, (cause: unknown) => reject(this.#failed(cause))));
      request.end(call.body);
    });
  }

  #failed(cause: unknown): unknown {
    return cause instanceof TooLarge ? cause : connectionFailure(cause, this);
  }
}

/** All of it; Node fails by itself where a body ends before its announced length or its last chunk. */
async function collect(request: ClientRequest, response: IncomingMessage, limit = Number.POSITIVE_INFINITY): Promise<ServerAnswer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    bytes += part.length;
    if (bytes <= limit) continue;
    request.destroy();
    throw new TooLarge(`more than ${limit} bytes`);
  }
  return { status: response.statusCode ?? 0, body: Buffer.concat(parts) };
}

/** A circuit breaker or a lost point in time does not mend itself by the same question. */
function isPassing(error: unknown): boolean {
  if (!isHoldfastError(error) || !error.retryable) return false;
  return error.data['status'] === undefined || error.code === 'unavailable';
}
