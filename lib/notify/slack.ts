import type { Clock } from '../model/clock.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { Alert } from './alert.ts';
import type { Channel } from './channel.ts';
import { renderSlack } from './slack-message.ts';

export interface SlackOptions {
  /** The incoming webhook; whoever knows it can post. Read for every message, so that a new one counts at once. */
  readonly webhookUrl: () => Promise<string>;
  readonly stackName: string;
  readonly fetch: typeof fetch;
  readonly clock: Pick<Clock, 'sleep'>;
  /** Of one request; 8,000 when not given: all attempts with their pauses end within a minute. */
  readonly timeoutMs?: number;
}

const ATTEMPTS = 3;
const FIRST_PAUSE_MS = 1000;
/** A longer wait is left to whoever calls again. */
const MAX_PAUSE_MS = 10_000;
const MAX_BODY_SHOWN = 200;

/**
 * Slack by an incoming webhook. Slack answers 200 and "ok"; 429 with Retry-After; 4xx with one word of what is wrong,
 * which no repetition heals; 5xx when it is ill. No message names the webhook.
 */
export function slackChannel(options: SlackOptions): Channel {
  return { name: 'slack', send: (alert) => send(alert, options) };
}

async function send(alert: Alert, options: SlackOptions): Promise<void> {
  const url = webhook(await options.webhookUrl());
  const body = JSON.stringify(renderSlack(alert, options.stackName));
  for (let attempt = 1; ; attempt++) {
    const failure = await post(url, body, options);
    if (failure === undefined) return;
    const pause = failure.retryAfterMs ?? FIRST_PAUSE_MS * 2 ** (attempt - 1);
    if (!failure.error.retryable || attempt === ATTEMPTS || pause > MAX_PAUSE_MS) throw failure.error;
    await options.clock.sleep(pause);
  }
}

interface PostFailure {
  readonly error: HoldfastError;
  readonly retryAfterMs?: number;
}

async function post(url: URL, body: string, { fetch, timeoutMs = 8_000 }: SlackOptions): Promise<PostFailure | undefined> {
  try {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json; charset=utf-8' }, body, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) });
    const answer = (await response.text()).slice(0, MAX_BODY_SHOWN);
    return response.ok ? undefined : failureOf(response, answer);
  } catch (cause) {
    if (isHoldfastError(cause)) throw cause;
    // The cause is left out: errors of fetch may hold the address, and the address is the secret.
    const { name, code } = ((cause as { cause?: unknown }).cause ?? cause) as { name?: string; code?: string };
    return { error: new HoldfastError('unavailable', `Slack could not be reached: ${code ?? name ?? 'no answer'}.`, { nextStep: 'Check that the function can reach the internet; the message is sent again.' }) };
  }
}

function failureOf(response: Response, answer: string): PostFailure {
  const { status } = response;
  const seen = `Slack answered ${status}${answer === '' ? '' : ` (${answer})`}, wanted 200`;
  if (status === 429) {
    const seconds = Number(response.headers.get('retry-after') ?? Number.NaN);
    const error = new HoldfastError('unavailable', `${seen}: too many messages.`, { nextStep: 'Nothing: it is sent again when Slack allows it.' });
    return Number.isFinite(seconds) ? { error, retryAfterMs: Math.max(0, seconds) * 1000 } : { error };
  }
  if (status >= 500) return { error: new HoldfastError('unavailable', `${seen}.`, { nextStep: 'Nothing: it is sent again.' }) };
  return { error: new HoldfastError('refused', `${seen}: it will not take this message at this webhook.`, { nextStep: 'Make a new incoming webhook in Slack, for a channel that exists, and store it in the secret that the stack names.' }) };
}

function webhook(text: string): URL {
  const url = URL.parse(text.trim());
  const isLoopback = url?.protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]', 'host.docker.internal'].includes(url.hostname);
  if (url?.protocol === 'https:' || isLoopback) return url as URL;
  throw new HoldfastError('missing-key', 'The secret with the Slack webhook holds no address that begins with https://, wanted one such as Slack shows under "Incoming Webhooks".', { nextStep: 'Store the address of the webhook as the whole text of the secret, or name its key behind #.' });
}
