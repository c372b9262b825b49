import { DynamodbCatalog } from '../../lib/catalog/dynamodb-catalog.ts';
import { DynamodbLedger } from '../../lib/catalog/dynamodb-ledger.ts';
import { catalogContract } from '../contract/catalog.ts';
import { runLedgerContract } from '../contract/run-ledger.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMoto } from '../support/servers/moto.ts';
import { DynamodbTables } from './dynamodb-tables.ts';

let server: Ministack;
let tables: DynamodbTables;
beforeAll(async () => {
  server = await startMoto();
  // moto checks conditions without a lock: two requests at once may both find theirs true, so they go one at a time.
  // It also writes a transaction again whose client token it has seen: lost answers are tried on MiniStack alone.
  tables = new DynamodbTables(server, { requestHandler: { httpAgent: { keepAlive: true, maxSockets: 1 } } });
});
afterAll(async () => {
  tables.close();
  await server.stop();
});

catalogContract('A DynamoDB table (moto)', async () => new DynamodbCatalog(await tables.make()));

runLedgerContract('A DynamoDB table (moto)', async () => {
  const place = await tables.make();
  return { ledger: new DynamodbLedger(place), catalog: new DynamodbCatalog(place), close: async () => {} };
});
