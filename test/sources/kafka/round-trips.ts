import { backUp, heldBy, testRepository } from '../../support/run-backup.ts';
import type { KafkaServer } from '../../support/servers/kafka.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { contentOf, loaderFor, readByVendor, restored, sourceFor } from './desk.ts';
import type { SentRecord, Writer } from './desk.ts';

export interface Rig {
  readonly server: KafkaServer;
  readonly writer: Writer;
}

/** Everything that a record can be. */
function awkward(topic: string): SentRecord[] {
  return [
    { topic, key: 'a', value: '1', timestamp: 1_600_000_000_000n, headers: [['h', 'x'], ['h', '\x00\xff'], ['', '']] },
    { topic, key: 'a', value: null },
    { topic, key: '\x00\xff\xfe', value: '\xff\x00\x80' },
    { topic, key: null, value: 'no key', partition: 1 },
    { topic, key: '', value: '', partition: 1, timestamp: 0n },
    { topic, key: 'large', value: 'x'.repeat(900_000), partition: 1 },
  ];
}

async function committed(writer: Writer, topic: string): Promise<Record<string, number[]>> {
  const groups = await writer.admin.listConsumerGroupOffsets({ groups: ['billing', 'in a hole', 'late'] });
  return Object.fromEntries(groups.map(({ groupId, topics }) => [groupId, topics.filter(({ name }) => name === topic).flatMap(({ partitions }) => partitions.toSorted((left, right) => left.partitionIndex - right.partitionIndex).map(({ committedOffset }) => Number(committedOffset)))]));
}

export function roundTrips(rig: () => Rig): void {
  it('topics come back with every kind of record, their configuration, and groups go on where they were, holes of transactions or not (S10, R1)', async () => {
    const { server, writer } = rig();
    const configs = { 'retention.ms': '-1', 'max.message.bytes': '2000000', 'message.timestamp.type': 'CreateTime', 'segment.bytes': '10000000' };
    await writer.make('orders', 3, configs);
    await writer.send(awkward('orders'));
    const end = await writer.transactions([
      { records: [{ topic: 'orders', key: 'tx', value: 'aborted' }, { topic: 'orders', key: 'tx', value: 'aborted too' }], how: 'abort' },
      { records: [{ topic: 'orders', key: 'tx', value: 'first' }, { topic: 'orders', key: 'tx', value: 'second' }], how: 'commit' },
    ]);
    await end();
    // Partition 0: records at 0-2, aborted at 3-4, a marker at 5, records at 6-7, a marker at 8.
    await writer.commit('billing', 'orders', [7, 1, 0]);
    await writer.commit('late', 'orders', [9, 3, 0]);
    await writer.commit('in a hole', 'orders', [4, 0, 0]);
    const before = await readByVendor(server, 'orders', { count: 8 });
    expect(before).toHaveLength(8);

    const repository = testRepository();
    const outcome = await backUp(repository, sourceFor(server.port, temporaryFolder()));
    expect(outcome.manifest.warnings ?? []).toEqual([]);
    const paths = [...(await heldBy(repository, outcome)).keys()].filter((path) => path.includes('.'));
    expect(paths).toEqual(['groups.json', 'topics/orders/000000.records', 'topics/orders/000001.records', 'topics/orders/000002.records', 'topics/orders/topic.json']);
    expect(outcome.evidence.join('\n')).toContain('offsets 0 to 9: 5 records, 2 markers of transactions, 2 of aborted transactions; each offset was accounted for');
    const content = await contentOf(repository, outcome);

    await writer.remove('orders');
    const { rows } = await restored(loaderFor(server.port), content);
    expect(rows).toEqual({ 'orders.0': 5, 'orders.1': 3, 'orders.2': 0 });
    expect(await readByVendor(server, 'orders', { count: 8 })).toEqual(before);
    // Where each group goes on; for one of them by the vendor's client, which reads as that group does.
    expect(await committed(writer, 'orders')).toEqual({ billing: [4, 1, 0], 'in a hole': [3, 0, 0], late: [5, 3, 0] });
    expect(await readByVendor(server, 'orders', { group: 'billing', count: 3 })).toEqual([before[4], ...before.slice(6)]);
    const [described] = await writer.admin.describeConfigs({ resources: [{ resourceType: 2, resourceName: 'orders' }] });
    expect(Object.fromEntries(described?.configs.filter(({ configSource }) => configSource === 1).map(({ name, value }) => [name, value]) ?? [])).toEqual(configs);
  });
}
