import { readFileSync, writeFileSync } from 'node:fs';
import { Desk, REAL_WORKERS } from '../../cli/run-in-process.ts';
import { backUp, testRepository } from '../../support/run-backup.ts';
import { KAFKA_USERS } from '../../support/servers/kafka.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { contentOf, itemsOf, loaderFor, readAll, restored, sourceFor } from './desk.ts';
import type { SentRecord, Writer } from './desk.ts';
import type { Rig } from './round-trips.ts';

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
const WEEK = '604800000';

export function restores(rig: () => Rig): void {
  const temporary = temporaryFolder();
  const backedUp = async (topics: readonly string[], groups: 'all' | 'none' | readonly string[] = 'none') => {
    const repository = testRepository();
    return contentOf(repository, await backUp(repository, sourceFor(rig().server.port, temporary, { topics, groups })));
  };

  it('batches of every codec come back, each compressed as it was (S10)', async () => {
    const { server, writer } = rig();
    for (const codec of CODECS) {
      await writer.make(`packed-${codec}`, 1, { 'compression.type': codec });
      await writer.sendBatch(Array.from({ length: 50 }, (_, index): SentRecord => ({ topic: `packed-${codec}`, key: String(index), value: 'again and '.repeat(20), headers: [['h', String(index)]] })));
    }
    const before = await readAll(sourceFor(server.port, temporary, { topics: ['packed-*'], groups: 'none' }));
    await restored(loaderFor(server.port, { prefix: 'back-' }), await backedUp(['packed-*']));
    const after = await readAll(sourceFor(server.port, temporary, { topics: ['back-packed-*'], groups: 'none' }));
    for (const [index, codec] of CODECS.entries()) {
      const records = await itemsOf(before, `packed-${codec}`);
      expect(records).toHaveLength(52);
      expect(records[1]).toMatchObject({ record: { codec: index + 1 } });
      expect((await itemsOf(after, `back-packed-${codec}`)).slice(1)).toEqual(records.slice(1));
    }
  });

  it('a compacted topic with records that have no key, and records older than its retention, come back whole, with what will become of them told (S10)', async () => {
    const { server, writer } = rig();
    await writer.make('odd', 1, { 'retention.ms': '-1' });
    await writer.send([{ topic: 'odd', key: null, value: 'no key' }, { topic: 'odd', key: 'a', value: '1', timestamp: 1_600_000_000_000n }, { topic: 'odd', key: 'a', value: null }]);
    const configs = { 'cleanup.policy': 'compact,delete', 'retention.ms': WEEK, 'segment.ms': WEEK, 'message.timestamp.type': 'LogAppendTime' };
    await writer.admin.incrementalAlterConfigs({ resources: [{ resourceType: 2, resourceName: 'odd', configs: Object.entries(configs).map(([name, value]) => ({ name, configOperation: 0 as const, value })) }] });
    const content = await backedUp(['odd']);
    const { rows, warnings } = await restored(loaderFor(server.port, { prefix: 'a-' }), content);
    expect(rows).toEqual({ 'a-odd.0': 3 });
    expect(warnings).toEqual([expect.stringMatching(/^1 records of topic a-odd are older than its retention.ms \(604800000\).*retention=unlimited/), expect.stringMatching(/^1 records of topic a-odd have no key, and the topic is compacted/)]);
    expect(await configsOf(writer, 'a-odd')).toEqual(configs);
    const [first, ...others] = await itemsOf(await readAll(sourceFor(server.port, temporary, { topics: ['a-odd'], groups: 'none' })), 'a-odd');
    expect(first).toBeDefined();
    expect(others.slice(0, 3)).toMatchObject([{ record: { key: null } }, { record: { timestamp: 1_600_000_000_000n, isLogAppend: false } }, { record: { value: null } }]);
    const kept = await restored(loaderFor(server.port, { prefix: 'b-', isKeepingAll: true }), content);
    expect(kept.warnings).toEqual([expect.stringContaining('have no key')]);
    expect(await configsOf(writer, 'b-odd')).toEqual({ ...configs, 'retention.ms': '-1', 'retention.bytes': '-1' });
  });

  it('nothing that is there is touched unless it is asked for: topics, offsets of groups, groups in use (R1)', async () => {
    const { server, writer } = rig();
    await writer.make('kept', 2);
    await writer.send([{ topic: 'kept', key: 'a', value: 'old' }, { topic: 'kept', key: 'b', value: 'old', partition: 1 }]);
    await writer.commit('keepers', 'kept', [1, 0]);
    const content = await backedUp(['kept'], ['keepers']);
    await writer.send([{ topic: 'kept', key: 'a', value: 'new' }]);
    const { signal } = new AbortController();
    const load = loaderFor(server.port);
    const plan = (loader = load, mode: 'empty' | 'clean' = 'empty') => loader.plan(content, { mode }, signal);
    expect(await failure(plan())).toMatchObject({ code: 'target-exists', message: expect.stringContaining('Topic kept is already there') as string, nextStep: expect.stringContaining('--clean') as string });
    expect(await failure(load.plan(content, { mode: 'empty', tables: ['other'] }, signal))).toMatchObject({ code: 'not-found' });
    expect(await failure(load.plan(content, { mode: 'empty', schemas: ['x'] }, signal))).toMatchObject({ code: 'usage' });
    // Planned and not done: nothing happens, and what is there is named.
    const [planned] = await plan(load, 'clean');
    expect(planned).toMatchObject({ place: expect.stringMatching(/^kept at /) as string, existing: { objects: 1, tables: [expect.stringContaining('topic kept with 2 partitions: it is deleted')] } });
    const read = async () => (await readAll(sourceFor(server.port, temporary, { topics: ['kept'], groups: ['keepers'] })));
    expect(await itemsOf(await read(), 'kept')).toHaveLength(4);
    expect((await restored(load, content, { mode: 'clean' })).rows).toEqual({ 'kept.0': 1, 'kept.1': 1 });
    const entries = await read();
    expect(await itemsOf(entries, 'kept')).toHaveLength(3);
    expect(JSON.parse(entries.get('groups.json')?.bytes.toString() ?? '')).toMatchObject({ groups: [{ group: 'keepers', offsets: [{ partition: 0, offset: 1 }, { partition: 1, offset: 0 }] }] });
    // A group that commits into a topic that is not there any more, or that somebody reads in.
    await restored(loaderFor(server.port, { prefix: 'x-' }), content);
    const consumer = writer.member('keepers', 'kept');
    await consumer.joined;
    expect(await failure(plan(loaderFor(server.port, { prefix: 'y-' })))).toMatchObject({ code: 'busy', message: expect.stringContaining('Consumer group keepers is in use') as string });
    await restored(loaderFor(server.port, { prefix: 'y-', groupPrefix: 'y-' }), content);
    await restored(loaderFor(server.port, { prefix: 'z-', isWithoutGroups: true }), content);
    await consumer.leave();
  });

  it('a restore that fails takes its topic away again: damaged content, configuration that is refused, an abort (S10)', async () => {
    const { server, writer } = rig();
    const content = await backedUp(['kept'], 'none');
    const damaged = { ...content, files: async function* (below: string) {
      for await (const file of content.files(below)) yield file.path.endsWith('000001.records') ? { ...file, read: async function* () { for await (const piece of file.read()) yield Buffer.from(piece).fill(0, piece.length - 40, piece.length - 36); } } : file;
    } };
    const { signal } = new AbortController();
    const foreign = { ...content, files: async function* (below: string) {
      for await (const file of content.files(below)) yield file.path.endsWith('topic.json') ? { ...file, read: async function* () { yield Buffer.from((await Array.fromAsync(file.read())).map(String).join('').replace('"configs": {', '"configs": { "vendor.own": "1"')); } } : file;
    } };
    expect(await failure(loaderFor(server.port, { prefix: 'bad-' }).plan(foreign, { mode: 'empty' }, signal))).toMatchObject({ code: 'target-failed', message: expect.stringMatching(/^Asking whether topic bad-kept can be made at .* failed: INVALID_CONFIG: .*vendor\.own/) as string });
    const [load] = await loaderFor(server.port, { prefix: 'bad-' }).plan(damaged, { mode: 'empty' }, signal);
    expect(await failure(load?.perform({ signal }) ?? Promise.resolve())).toMatchObject({ code: 'damaged', message: expect.stringMatching(/is no whole partition.*Topic bad-kept was taken away again\.$/) as string });
    const stop = new AbortController();
    const [stopped] = await loaderFor(server.port, { prefix: 'bad-' }).plan(content, { mode: 'empty' }, stop.signal);
    expect(await failure(stopped?.perform({ signal: stop.signal, onBytes: () => stop.abort() }) ?? Promise.resolve())).toMatchObject({ code: 'interrupted' });
    expect((await writer.admin.listTopics()).filter((topic) => topic.startsWith('bad-'))).toEqual([]);
    // What is damaged costs nobody the topic that is there.
    const [clean] = await loaderFor(server.port).plan(damaged, { mode: 'clean' }, signal);
    expect(await failure(clean?.perform({ signal }) ?? Promise.resolve())).toMatchObject({ code: 'damaged' });
    expect(await writer.admin.listTopics()).toContain('kept');
  });

  it('the command line backs up while somebody writes, with a password that nobody sees, and restores one topic (S10, K3)', async () => {
    const { server, writer } = rig();
    await writer.make('busy', 2);
    await writer.sendBatch(Array.from({ length: 500 }, (_, index) => ({ topic: 'busy', key: String(index), value: `${index}`.repeat(50), partition: index % 2 })));
    await writer.commit('workers', 'busy', [120, 250]);
    const desk = new Desk({ KAFKA_PASSWORD: KAFKA_USERS.root, HOLDFAST_DATABASE_PASSWORD: KAFKA_USERS.root }, REAL_WORKERS);
    writeFileSync(desk.path('holdfast.yaml'), `
vaults: { main: { directory: vault, key-file: key } }
plans:
  events:
    source: { type: kafka, brokers: ["127.0.0.1:${server.saslPort}"], topics: [busy, kept], groups: [workers], sasl: plain, user: root, password: "\${env:KAFKA_PASSWORD}" }
`);
    await desk.do('init');
    let isDone = false;
    const writing = (async () => {
      for (let index = 0; !isDone; index++) await writer.sendBatch([{ topic: 'busy', key: `later ${index}`, value: 'x' }]);
    })();
    const made = await desk.json<{ type: string; state: string; evidence: string[] }>('backup', 'events');
    isDone = true;
    await writing;
    expect(made.at(-1)).toMatchObject({ state: 'completed' });
    const shown = await desk.do('show', 'latest:events');
    expect(shown).toContain(`topics busy, kept at 127.0.0.1:${server.saslPort} as root`);
    const to = `kafka://root@127.0.0.1:${server.saslPort}/?sasl=plain&prefix=copy-`;
    const restore = ['restore', 'latest:events', '--to-database', to, '--table', 'busy'];
    expect(await desk.do(...restore, '--dry-run')).toMatch(/would go into the new topic copy-busy at 127.0.0.1:\d+/);
    expect(await writer.admin.listTopics()).not.toContain('copy-busy');
    const done = await desk.do(...restore);
    expect(done).toMatch(/Restored .* into topic copy-busy at 127.0.0.1:\d+ as root/);
    expect(done).toMatch(/copy-busy\.1 {2}250 rows/);
    const again = await desk.run(...restore);
    expect([again.code, again.stderr]).toEqual([expect.any(Number), expect.stringContaining('Topic copy-busy is already there')]);
    const [group] = await writer.admin.listConsumerGroupOffsets({ groups: ['workers'] });
    expect(group?.topics.find(({ name }) => name === 'copy-busy')?.partitions.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset])).toEqual(expect.arrayContaining([[0, 120n], [1, 250n]]));
    for (const text of [JSON.stringify(made), shown, done, again.stderr]) expect(text).not.toContain('pass;w');
    expect(readFileSync(desk.path('holdfast.yaml'), 'utf8')).not.toContain('pass;w');
  });
}

async function configsOf(writer: Writer, topic: string): Promise<Record<string, string | null | undefined>> {
  const [described] = await writer.admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: topic }] });
  return Object.fromEntries(described?.configs.filter(({ configSource }) => configSource === 1).map(({ name, value }) => [name, value]) ?? []);
}
