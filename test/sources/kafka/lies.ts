import { setTimeout as sleep } from 'node:timers/promises';
import { KAFKA_USERS, SCRAM_PASSWORD } from '../../support/servers/kafka.ts';
import { startCutProxy } from '../../support/servers/cut-proxy.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { itemsOf, readAll, sourceFor } from './desk.ts';
import type { Rig } from './round-trips.ts';

/** Points at which the connection is cut: docs/testing.md says how to try thirty. */
const CUTS = Number(process.env['HOLDFAST_KAFKA_CUTS'] ?? 4);
const RECORDS = Array.from({ length: 60 }, (_, index) => ({ topic: 'long', key: String(index), value: `${index} `.repeat(2000) }));

export function lies(rig: () => Rig): void {
  const temporary = temporaryFolder();

  it('a connection that is reset anywhere costs nothing: the same bytes come over another one (S10)', async () => {
    const { server, writer } = rig();
    await writer.make('long');
    await writer.sendBatch(RECORDS);
    const proxy = await startCutProxy(server.behind, server.proxied);
    try {
      const wanted = { topics: ['long'], groups: 'none' } as const;
      const whole = bytesOf(await readAll(sourceFor(server.proxied, temporary, wanted)));
      const length = proxy.passed();
      expect(length).toBeGreaterThan(300_000);
      for (let cut = 1; cut <= CUTS; cut++) {
        proxy.cutAfter(Math.floor((length * cut) / (CUTS + 1)));
        expect(bytesOf(await readAll(sourceFor(server.proxied, temporary, wanted)))).toEqual(whole);
        expect(proxy.passed()).toBeGreaterThan(0);
      }
    } finally {
      await proxy.stop();
    }
  });

  it('a cluster that is gone for good fails the run, with its name and the reason (S10)', async () => {
    const { server } = rig();
    const proxy = await startCutProxy(server.behind, server.proxied);
    const source = sourceFor(server.proxied, temporary, { topics: ['long'], groups: 'none', patienceMs: 300 });
    const error = await failure(readAll(source, async (name) => (name.endsWith('.records') ? proxy.stop() : undefined)));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(new RegExp(`^Reading partition 0 of topic long from offset 0 at 127.0.0.1:${server.proxied} as nobody .* failed: .*(closed|ECONNRE)`)) as string });
    expect(error.nextStep).toContain('advertised.listeners');
    expect(await failure(source.check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('ECONNREFUSED') as string });
  });

  it('records that are deleted before they are read are a gap with a warning, never a silent hole (S10)', async () => {
    const { server, writer } = rig();
    await writer.make('expiring', 1, { 'retention.ms': '-1' });
    await writer.send(Array.from({ length: 6 }, (_, index) => ({ topic: 'expiring', key: null, value: String(index) })));
    const source = sourceFor(server.port, temporary, { topics: ['expiring'], groups: 'none' });
    const entries = await readAll(source, async (name) => (name.endsWith('.records') ? writer.admin.deleteRecords({ topics: [{ name: 'expiring', partitions: [{ partition: 0, offset: 4n }] }] }) : undefined));
    const { proof } = entries.get('topics/expiring/000000.records') ?? {};
    expect(proof?.warnings).toEqual(['4 records of partition 0 of topic expiring were deleted by the cluster (retention, or DeleteRecords) before they could be read']);
    expect(proof?.evidence[0]).toBe('offsets 0 to 6: 2 records, 4 deleted meanwhile; each offset was accounted for');
    expect(await itemsOf(entries, 'expiring')).toEqual([expect.anything(), { gap: { from: 0, to: 4 } }, expect.objectContaining({ record: expect.objectContaining({ offset: 4 }) }), expect.anything(), { end: { records: 2, begin: 0, end: 6 } }]);
  });

  it('a topic that is deleted, or deleted and made again, under its reader fails the run (S10)', async () => {
    const { server, writer } = rig();
    await writer.make('gone');
    await writer.send([{ topic: 'gone', key: 'a', value: 'old' }]);
    const source = sourceFor(server.port, temporary, { topics: ['gone'], groups: 'none', patienceMs: 500 });
    const again = async () => {
      await writer.remove('gone');
      await writer.make('gone');
      await writer.send([{ topic: 'gone', key: 'a', value: 'new' }]);
    };
    for (const change of [again, () => writer.remove('gone')]) {
      const error = await failure(readAll(source, async (name) => (name.endsWith('.records') ? change() : undefined)));
      expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/partition 0 of topic gone.* failed: (UNKNOWN_TOPIC|INCONSISTENT_TOPIC_ID)/) as string });
    }
    expect(await failure(source.check())).toMatchObject({ code: 'source-failed', message: expect.stringContaining('has no topic gone') as string });
  });

  it('a transaction that has not ended is not waited for: what is behind its beginning is not kept, with a warning (S10)', async () => {
    const { server, writer } = rig();
    await writer.make('open');
    await writer.send([{ topic: 'open', key: 'a', value: 'before' }]);
    const end = await writer.transactions([{ records: [{ topic: 'open', key: 'a', value: 'undecided' }], how: 'leave' }]);
    await writer.send([{ topic: 'open', key: 'a', value: 'behind' }]);
    const entries = await readAll(sourceFor(server.port, temporary, { topics: ['open'], groups: 'none' }));
    await end();
    const { proof } = entries.get('topics/open/000000.records') ?? {};
    expect(proof?.warnings).toEqual(['2 offsets at the end of partition 0 of topic open were behind a transaction that had not ended: they are not kept']);
    expect((await itemsOf(entries, 'open')).at(-1)).toEqual({ end: { records: 1, begin: 0, end: 1 } });
  });

  it('compaction leaves holes that are counted; in a topic that is not compacted they fail the run, unless it is told that they may be (S10)', async () => {
    const { server, writer } = rig();
    const compaction = { 'cleanup.policy': 'compact', 'segment.ms': '50', 'min.cleanable.dirty.ratio': '0.001', 'max.compaction.lag.ms': '1', 'delete.retention.ms': '0' };
    await writer.make('compacted', 1, compaction);
    for (const value of ['1', '2', '3', '4']) {
      await writer.send([{ topic: 'compacted', key: 'a', value }]);
      await sleep(60);
    }
    const source = (holes: 'refuse' | 'warn') => sourceFor(server.port, temporary, { topics: ['compacted'], groups: 'none', holes });
    const evidence = async () => (await readAll(source('refuse'))).get('topics/compacted/000000.records')?.proof.evidence[0] ?? '';
    let seen = '';
    for (let attempt = 0; attempt < 150 && !seen.includes('without a record'); attempt++) {
      seen = await evidence();
      await sleep(100);
    }
    expect(seen).toMatch(/^offsets 0 to 4: [123] records, [123] without a record; each offset was accounted for$/);
    await writer.admin.incrementalAlterConfigs({ resources: [{ resourceType: 2, resourceName: 'compacted', configs: [{ name: 'cleanup.policy', configOperation: 0, value: 'delete' }] }] });
    expect(await failure(readAll(source('refuse')))).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/no record has an offset from 0 to \d, and the topic is not compacted/) as string, nextStep: expect.stringContaining('holes: warn') as string });
    const warned = await readAll(source('warn'));
    expect(warned.get('topics/compacted/000000.records')?.proof.warnings?.[0]).toMatch(/^\d offsets of partition 0 of topic compacted, the first 0, have no record although/);
  });

  it('a broker is believed over TLS by its certificate alone, and a password goes as SCRAM (S10)', async () => {
    const { server } = rig();
    const over = (tls: { readonly ca?: string } | undefined, password: string = SCRAM_PASSWORD) => sourceFor(server.tlsPort, temporary, { topics: ['long'], groups: 'none', patienceMs: 300, place: { brokers: [{ host: '127.0.0.1', port: server.tlsPort }], sasl: { mechanism: 'SCRAM-SHA-512', user: 'root', password }, ...(tls && { tls }) } });
    expect(await itemsOf(await readAll(over({ ca: server.ca })), 'long')).toHaveLength(RECORDS.length + 2);
    expect(await failure(over({}).check())).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/self-signed certificate/) as string });
    expect((await failure(over(undefined).check())).code).toBe('source-failed');
    const wrong = await failure(over({ ca: server.ca }, 'wrong-9d1c').check());
    expect(wrong).toMatchObject({ code: 'permission', message: expect.not.stringContaining('wrong-9d1c') as string });
  });

  it('each right that is missing is named, by the words of the broker and without the password (S10)', async () => {
    const { server, writer } = rig();
    await writer.make('guarded');
    await writer.send([{ topic: 'guarded', key: 'a', value: '1' }]);
    await writer.commit('guards', 'guarded', [1]);
    const as = (user: string, password: string, groups: 'all' | 'none' | readonly string[]) => sourceFor(server.saslPort, temporary, { topics: ['guarded'], groups, place: { brokers: [{ host: '127.0.0.1', port: server.saslPort }], sasl: { mechanism: 'PLAIN', user, password } } });
    const poor = (groups: 'all' | 'none' | readonly string[] = 'none') => as('poor', KAFKA_USERS.poor, groups);
    const allow = (resourceType: number, resourceName: string, operation: number) => writer.admin.createAcls({ creations: [{ resourceType, resourceName, resourcePatternType: 3, principal: 'User:poor', host: '*', operation, permissionType: 3 }] } as never);
    const refusal = async (groups?: 'all' | 'none' | readonly string[]) => {
      const error = await failure(poor(groups).check());
      expect(JSON.stringify([error.message, error.nextStep])).not.toContain(KAFKA_USERS.poor);
      return [error.code, /as poor failed: (\w+)/.exec(error.message)?.[1] ?? error.message];
    };
    const wrong = await failure(as('root', `${KAFKA_USERS.root}x`, 'none').check());
    expect(wrong).toMatchObject({ code: 'permission', message: expect.stringContaining('Invalid username or password') as string });
    expect(JSON.stringify(wrong)).not.toContain(JSON.stringify(KAFKA_USERS.root).slice(1, -1));
    const [TOPIC, GROUP, CLUSTER, READ, DESCRIBE, DESCRIBE_CONFIGS] = [2, 3, 4, 3, 8, 10];
    expect(await refusal()).toEqual(['permission', 'TOPIC_AUTHORIZATION_FAILED']);
    await allow(TOPIC, 'guarded', DESCRIBE);
    expect(await refusal()).toEqual(['permission', 'TOPIC_AUTHORIZATION_FAILED']);
    await allow(TOPIC, 'guarded', DESCRIBE_CONFIGS);
    expect(await refusal()).toEqual(['permission', 'TOPIC_AUTHORIZATION_FAILED']);
    await allow(TOPIC, 'guarded', READ);
    await poor().check();
    expect(await refusal('all')).toEqual(['permission', expect.stringContaining('may not Describe the cluster')]);
    await allow(CLUSTER, 'kafka-cluster', DESCRIBE);
    expect(await refusal('all')).toEqual(['permission', 'GROUP_AUTHORIZATION_FAILED']);
    await allow(GROUP, 'guards', DESCRIBE);
    const entries = await readAll(poor(['guards']));
    expect(JSON.parse(entries.get('groups.json')?.bytes.toString() ?? '')).toMatchObject({ groups: [{ group: 'guards', offsets: [{ offset: 1 }] }] });
  });
}

function bytesOf(entries: Awaited<ReturnType<typeof readAll>>): [string, string][] {
  return [...entries].map(([name, { bytes }]) => [name, bytes.toString('latin1')]);
}
