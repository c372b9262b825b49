import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Alert } from '../../lib/notify/alert.ts';
import type { Channel } from '../../lib/notify/channel.ts';
import { deliver } from '../../lib/notify/deliver.ts';
import type { Deliveries } from '../../lib/notify/deliver.ts';
import { slackChannel } from '../../lib/notify/slack.ts';
import { LeapingClock } from '../support/fake-clock.ts';

const ALERT: Alert = { alertId: 'backup-failed/1', kind: 'backup-failed', severity: 'high', state: 'open', title: 'Failed', message: 'It failed.', nextStep: 'Mend it.', openedAt: 0 };
const PATH = '/services/T000/B000/secretsecret';

/** What the receiver answers next; the last one again and again. */
type Answer = { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> } | 'hang' | 'reset';

/** As incoming webhooks are documented: JSON posted to a path, answered with a status and one word. */
class SlackReceiver {
  readonly requests: { method: string | undefined; url: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
  answers: Answer[] = [{ status: 200, body: 'ok' }];
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        this.requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
        const answer = this.answers.length > 1 ? (this.answers.shift() as Answer) : (this.answers[0] as Answer);
        if (answer === 'reset') return void request.socket.destroy();
        if (answer === 'hang') return;
        response.writeHead(answer.status, answer.headers).end(answer.body ?? '');
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${PATH}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

describe('the Slack channel (M4)', () => {
  let receiver: SlackReceiver;
  let url: string;
  let clock: LeapingClock;
  let channel: Channel;

  beforeEach(async () => {
    receiver = new SlackReceiver();
    url = await receiver.listen();
    clock = new LeapingClock();
    channel = slackChannel({ webhookUrl: () => Promise.resolve(url), stackName: 'prod', fetch, clock, timeoutMs: 10_000 });
  });
  afterEach(() => receiver.close());
  const impatient = () => slackChannel({ webhookUrl: () => Promise.resolve(url), stackName: 'prod', fetch, clock, timeoutMs: 300 });

  it('posts JSON to the webhook', async () => {
    await channel.send(ALERT);
    expect(receiver.requests).toHaveLength(1);
    expect(receiver.requests[0]).toMatchObject({ method: 'POST', url: PATH, headers: expect.objectContaining({ 'content-type': 'application/json; charset=utf-8' }) as unknown });
    expect(JSON.parse(receiver.requests[0]?.body ?? '')).toMatchObject({ text: '[prod] HIGH: Failed' });
  });

  it('waits as long as Slack asks for', async () => {
    receiver.answers = [{ status: 429, body: 'rate_limited', headers: { 'retry-after': '7' } }, { status: 200, body: 'ok' }];
    await channel.send(ALERT);
    expect(clock.sleeps).toEqual([7000]);
    expect(receiver.requests).toHaveLength(2);
  });

  it('leaves a longer wait to whoever calls again', async () => {
    receiver.answers = [{ status: 429, headers: { 'retry-after': '3600' } }];
    await expect(channel.send(ALERT)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(clock.sleeps).toEqual([]);
  });

  it.each<readonly [string, Answer]>([['is ill', { status: 500, body: 'rollup_error' }], ['is away', { status: 503 }], ['breaks the connection', 'reset'], ['says nothing', 'hang']])('tries three times when Slack %s, then says that it may be tried again', async (_what, answer) => {
    receiver.answers = [answer];
    channel = impatient();
    await expect(channel.send(ALERT)).rejects.toMatchObject({ code: 'unavailable', retryable: true });
    expect(receiver.requests).toHaveLength(3);
    expect(clock.sleeps).toEqual([1000, 2000]);
  });

  it('comes through when Slack recovers', async () => {
    receiver.answers = ['reset', { status: 502 }, { status: 200, body: 'ok' }];
    await channel.send(ALERT);
    expect(receiver.requests).toHaveLength(3);
  });

  it.each([[400, 'invalid_payload'], [403, 'action_prohibited'], [404, 'no_service'], [410, 'channel_is_archived']])('gives up at once on %i, with the word that Slack gave', async (status, body) => {
    receiver.answers = [{ status, body }];
    await expect(channel.send(ALERT)).rejects.toMatchObject({ code: 'refused', retryable: false, message: expect.stringContaining(`${status} (${body})`) as string, nextStep: expect.stringContaining('webhook') as string });
    expect(receiver.requests).toHaveLength(1);
  });

  it('does not follow where somebody else leads: the message names systems', async () => {
    receiver.answers = [{ status: 307, headers: { location: '/elsewhere' } }];
    await expect(channel.send(ALERT)).rejects.toMatchObject({ code: 'unavailable' });
    expect(new Set(receiver.requests.map((request) => request.url))).toEqual(new Set([PATH]));
  });

  it.each<readonly [string, Answer | undefined]>([['Slack refuses', { status: 404, body: 'no_service' }], ['nobody answers', 'hang'], ['nobody listens', undefined]])('shows the webhook nowhere when %s', async (_what, answer) => {
    if (answer === undefined) await receiver.close();
    else receiver.answers = [answer];
    const error = await impatient().send(ALERT).catch((caught: unknown) => caught);
    expect(everythingIn(error)).not.toContain('secretsecret');
    if (answer === undefined) await receiver.listen();
  });

  it.each(['not an address', 'http://hooks.slack.example/x', 'ftp://a/b', ''])('refuses a secret that is no https address, without showing it: %p', async (secret) => {
    channel = slackChannel({ webhookUrl: () => Promise.resolve(secret), stackName: 'prod', fetch, clock });
    await expect(channel.send(ALERT)).rejects.toMatchObject({ code: 'missing-key', message: expect.not.stringContaining(secret === '' ? '\0' : secret) as string });
  });
});

describe('delivery', () => {
  let marked: Set<string>;
  let sent: Alert[];
  const deliveries: Deliveries = { isDelivered: async (id, channel) => marked.has(`${id} ${channel}`), markDelivered: async (id, channel) => void marked.add(`${id} ${channel}`) };
  const channel: Channel = { name: 'slack', send: async (alert) => void sent.push(alert) };

  beforeEach(() => {
    marked = new Set();
    sent = [];
  });

  it('is once per alert, however often the topic brings it', async () => {
    expect(await deliver({ alert: ALERT, isOurs: true }, channel, deliveries)).toBe('sent');
    expect(await deliver({ alert: ALERT, isOurs: true }, channel, deliveries)).toBe('was-sent');
    expect(sent).toHaveLength(1);
  });

  it('tells the end of an alert by itself', async () => {
    await deliver({ alert: ALERT, isOurs: true }, channel, deliveries);
    await deliver({ alert: { ...ALERT, state: 'resolved' }, isOurs: true }, channel, deliveries);
    expect(sent.map(({ state }) => state)).toEqual(['open', 'resolved']);
  });

  it('is tried again after a failure: it is marked only when the channel has taken it', async () => {
    const ill: Channel = { name: 'slack', send: () => Promise.reject(new Error('ill')) };
    await expect(deliver({ alert: ALERT, isOurs: true }, ill, deliveries)).rejects.toThrow('ill');
    expect(await deliver({ alert: ALERT, isOurs: true }, channel, deliveries)).toBe('sent');
  });

  it('asks the catalog nothing about what it does not know: alarms of AWS and notices', async () => {
    await deliver({ alert: ALERT, isOurs: false }, channel, deliveries);
    await deliver({ alert: { ...ALERT, state: 'notice' }, isOurs: true }, channel, deliveries);
    expect([...marked]).toEqual([]);
    expect(sent).toHaveLength(2);
  });
});

/** Message, data, stack and every cause. */
function everythingIn(error: unknown): string {
  const texts: string[] = [];
  for (let current = error; current instanceof Error; current = current.cause) texts.push(current.message, current.stack ?? '', JSON.stringify(current));
  return texts.join('\n');
}
