import type { S3Client } from '@aws-sdk/client-s3';
import { systemClock } from '../../lib/model/clock.ts';
import { openS3Store } from '../../lib/stores/s3-store.ts';
import { retrying, type Retry } from '../../lib/stores/retrying.ts';
import type { Store } from '../../lib/stores/store.ts';
import { all, asText, bytesOf, expectCode, expectSame, names, storeContract, text } from '../contract/store.ts';
import { makeBucket, s3Client, storesIn } from '../support/buckets.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { SLOW_DOWN, startFaultProxy } from '../support/servers/fault-proxy.ts';
import type { FaultEffect, FaultProxy, FaultRule } from '../support/servers/fault-proxy.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

let server: Ministack;
let proxy: FaultProxy;
let client: S3Client;
let direct: S3Client;
let makeBare: () => Store;
let retries: Retry[];
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  direct = s3Client(server.endpoint);
  client = s3Client(proxy.endpoint);
  makeBare = storesIn(client, await makeBucket(direct, 'faults'), { clock: new LeapingClock(), pageSize: 50 });
});
beforeEach(() => {
  retries = [];
  proxy.script([]);
});
afterAll(async () => {
  client?.destroy();
  direct?.destroy();
  await proxy?.stop();
  await server?.stop();
});

const patient = (store: Store) => retrying(store, { clock: new LeapingClock(), random: () => 0.5, onRetry: (retry) => retries.push(retry) });

const EFFECTS: readonly (readonly [string, FaultEffect])[] = [
  ['503 SlowDown', SLOW_DOWN],
  ['a connection that breaks before the request arrived', { kind: 'reset' }],
  ['a lost answer', { kind: 'lost-response' }],
  ['an answer that is cut off', { kind: 'cut-body' }],
];

describe('S3Store behind a network where every third call fails', () => {
  /** Each kind has every twelfth call, in turns: every third call meets one. */
  const mixed: FaultRule[] = EFFECTS.map(([, effect], index) => ({ effect, every: 3 * EFFECTS.length, after: 3 * index }));
  /** The same sentences as without faults: the wrapper repeats, and nobody may notice. */
  storeContract('S3Store, retried, with a mix of faults', () => {
    proxy.script(mixed);
    return patient(makeBare());
  }, { hasFolders: false, sequences: 2 });

  it.each(EFFECTS)('keeps everything once, whole, and in order through %s', async (_what, effect) => {
    const store = patient(makeBare());
    proxy.script([{ effect, every: 3 }]);
    const wanted = Array.from({ length: 30 }, (_, index) => ({ name: `packs/hot/w/${10 + index}`, bytes: bytesOf(10_000, index) }));
    await Promise.all(wanted.map(({ name, bytes }) => store.put(name, bytes)));
    const listed = await all(store.list(''));
    for (const { name, bytes } of wanted) {
      expectSame(await store.get(name), bytes);
      expectSame(await store.get(name, { offset: 9_000, length: 500 }), bytes.subarray(9_000, 9_500));
    }
    expect(listed.map(({ name, size }) => [name, size])).toEqual(wanted.map(({ name }) => [name, 10_000]));
    await Promise.all(wanted.slice(0, 10).map(({ name }) => store.remove(name)));
    expect(await names(store, '')).toEqual(wanted.slice(10).map(({ name }) => name));
    expect(retries.length).toBeGreaterThan(30);
    expect(new Set(retries.map(({ error }) => error.code))).toEqual(new Set(['unavailable']));
  });

  it("a role that may write and not read back takes a write of its own whose answer was lost for done, and nobody else's (C6)", async () => {
    const forbidden: FaultEffect = { kind: 'answer', status: 403, body: '' };
    const store = makeBare();
    proxy.script([{ effect: { kind: 'lost-response' }, method: 'PUT', nth: 1 }, { effect: forbidden, method: 'HEAD' }]);
    await expectCode('unavailable', store.put('unseen', text('sealed')));
    expect(await store.put('unseen', text('sealed'))).toEqual({ created: false });
    await expectCode('permission', store.put('unseen', text('sealed')));
    proxy.script([{ effect: { kind: 'lost-response' }, method: 'PUT', nth: 1 }, { effect: forbidden, method: 'HEAD' }]);
    await expectCode('unavailable', store.put('other', text('sealed')));
    await expectCode('permission', store.put('other', text('changed')));
  });

  it('takes a write whose answer was lost for its own, and one of other bytes for a stranger', async () => {
    const store = patient(makeBare());
    proxy.script([{ effect: { kind: 'lost-response' }, method: 'PUT', nth: 1 }]);
    expect(await store.put('mine', text('mine'))).toEqual({ created: false });
    expect(retries).toHaveLength(1);
    await expectCode('already-exists', store.put('mine', text('yours')));
    expect(asText(await store.get('mine'))).toBe('mine');
    expect(await names(store, '')).toEqual(['mine']);
  });

  it('sends one request per attempt: the retries of the SDK do not multiply', async () => {
    const store = patient(makeBare());
    proxy.script([{ effect: SLOW_DOWN, method: 'PUT', times: 4 }]);
    const before = proxy.calls.length;
    await store.put('five', text('x'));
    expect(proxy.calls.length - before).toBe(5);
    expect(retries.map(({ delayMs }) => delayMs)).toEqual([100, 200, 400, 800]);
  });
});

describe('S3Store and single faults', () => {
  it('repeats a conditional write that ran into another one (409), and gives up with a reason', async () => {
    const conflict: FaultEffect = { kind: 'answer', status: 409, body: '<Error><Code>ConditionalRequestConflict</Code><Message>conflict</Message></Error>', headers: { 'content-type': 'application/xml' } };
    const store = makeBare();
    proxy.script([{ effect: conflict, method: 'PUT', times: 3 }]);
    expect(await store.put('contested', text('x'))).toEqual({ created: true });
    proxy.script([{ effect: conflict, method: 'PUT' }]);
    await expectCode('unavailable', store.put('never', text('x')));
  });

  it('writes anew when the object that stood in the way is gone again', async () => {
    const store = makeBare();
    const exists: FaultEffect = { kind: 'answer', status: 412, body: '<Error><Code>PreconditionFailed</Code></Error>', headers: { 'content-type': 'application/xml' } };
    proxy.script([{ effect: exists, method: 'PUT', nth: 1 }]);
    expect(await store.put('came-and-went', text('x'))).toEqual({ created: true });
  });

  it('compares by content where the store keeps no checksums', async () => {
    const store = makeBare();
    await putWithoutChecksum('plain', 'same');
    const key = `${store.description.slice('s3://faults/'.length)}/plain`;
    await putWithoutChecksum(key, 'same');
    expect(await store.put('plain', text('same'))).toEqual({ created: false });
    await expectCode('already-exists', store.put('plain', text('othr')));
  });

  it('reads again when the bytes differ from their SHA-256, and calls the object damaged when they stay so', async () => {
    const store = makeBare();
    await store.put('spoiled', bytesOf(5000));
    proxy.script([{ effect: { kind: 'flip' }, method: 'GET', nth: 1 }]);
    expectSame(await store.get('spoiled'), bytesOf(5000));
    proxy.script([{ effect: { kind: 'flip' }, method: 'GET' }]);
    await expectCode('damaged', store.get('spoiled'));
  });

  it('ends a write at once when its signal aborts while the store is silent', async () => {
    const store = makeBare();
    proxy.script([{ effect: { kind: 'delay', milliseconds: 3000 }, method: 'PUT' }]);
    const controller = new AbortController();
    const began = Date.now();
    const writing = store.put('slow', text('x'), { signal: controller.signal });
    setTimeout(() => controller.abort(), 50);
    await expectCode('interrupted', writing);
    expect(Date.now() - began).toBeLessThan(1500);
  });

  it('calls a store that falls silent unavailable, also in the middle of an answer', async () => {
    const hasty = s3Client(proxy.endpoint, { requestHandler: { socketTimeout: 150 } });
    const store = openS3Store({ client: hasty, bucket: 'faults', prefix: 'silent', clock: systemClock, random: Math.random });
    await store.put('a', text('x'));
    await store.put('b', bytesOf(100_000));
    proxy.script([{ effect: { kind: 'delay', milliseconds: 2000 }, path: /a$|a\?/ }, { effect: { kind: 'stall-body' }, path: /b/ }]);
    await expectCode('unavailable', store.get('a'));
    await expectCode('unavailable', store.get('b'));
    await expectCode('unavailable', store.get('b', { offset: 10, length: 90_000 }));
    hasty.destroy();
  });
});

async function putWithoutChecksum(key: string, content: string): Promise<void> {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  await direct.send(new PutObjectCommand({ Bucket: 'faults', Key: key, Body: content }));
}
