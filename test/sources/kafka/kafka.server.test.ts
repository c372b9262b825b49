import { startKafka } from '../../support/servers/kafka.ts';
import type { KafkaServer } from '../../support/servers/kafka.ts';
import { Writer } from './desk.ts';
import { lies } from './lies.ts';
import { restores } from './restores.ts';
import { roundTrips } from './round-trips.ts';

// Starting a broker takes seconds: one for all.
describe('a Kafka cluster', () => {
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
});
