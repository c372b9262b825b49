import { sourceContract } from '../../contract/source.ts';
import { KAFKA_USERS, startKafka } from '../../support/servers/kafka.ts';
import type { KafkaServer } from '../../support/servers/kafka.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { failure } from '../reading.ts';
import { Writer, readAll, sourceFor } from './desk.ts';
import { lies } from './lies.ts';
import { restores } from './restores.ts';
import { roundTrips } from './round-trips.ts';

// Starting a broker takes seconds: one for all.
describe('a Kafka cluster', () => {
  const temporary = temporaryFolder();
  let server: KafkaServer;
  let writer: Writer;
  beforeAll(async () => {
    server = await startKafka();
    writer = new Writer(server);
  }, 120_000);
  afterAll(async () => {
    await writer?.close();
    await server?.stop();
  });

  roundTrips(() => ({ server, writer }));
  restores(() => ({ server, writer }));
  lies(() => ({ server, writer }));

  // `long` is of the lies above, and so is the hole in `compacted`.
  sourceContract('kafka', () => ({
    temporaryFolder: temporary,
    secrets: [KAFKA_USERS.root],
    state: async () => [(await writer.admin.listTopics()).toSorted(), [...(await writer.admin.listGroups()).keys()].toSorted()],
    good: () => sourceFor(server.saslPort, temporary, { ...asRoot(server), topics: ['long'] }),
    failing: () => sourceFor(server.saslPort, temporary, { ...asRoot(server), topics: ['compacted', 'long'] }),
    refused: () => sourceFor(server.saslPort, temporary, { ...asRoot(server), topics: ['none'] }),
  }));

  it('a broker that is killed fails the run with what was under way (S10)', async () => {
    const error = await failure(readAll(sourceFor(server.port, temporary, { topics: ['long'], groups: 'none', patienceMs: 300 }), (name) => (name.endsWith('.records') ? server.kill() : undefined)));
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(/^Reading partition 0 of topic long from offset 0 at .* failed: /) as string, nextStep: expect.stringContaining('Check that the brokers run') as string });
  });
});

function asRoot({ saslPort }: KafkaServer) {
  return { groups: 'none', place: { brokers: [{ host: '127.0.0.1', port: saslPort }], sasl: { mechanism: 'PLAIN', user: 'root', password: KAFKA_USERS.root } } } as const;
}
