import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { DynamodbCatalog } from '../../lib/catalog/dynamodb-catalog.ts';
import { DynamodbLedger } from '../../lib/catalog/dynamodb-ledger.ts';
import type { DynamodbPlace } from '../../lib/catalog/dynamodb-table.ts';
import { catalogContract } from '../contract/catalog.ts';
import { runLedgerContract } from '../contract/run-ledger.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import { dropFirstAnswers } from './dropped-answers.ts';
import { DynamodbTables } from './dynamodb-tables.ts';
import { LedgerChaos } from './ledger-chaos.ts';

let server: Ministack;
let tables: DynamodbTables;
let forgetful: DynamodbTables;
let lost: () => number;
beforeAll(async () => {
  server = await startMinistack();
  tables = new DynamodbTables(server);
  forgetful = new DynamodbTables(server);
  ({ lost } = dropFirstAnswers(forgetful.client));
});
afterAll(async () => {
  tables.close();
  forgetful.close();
  await server.stop();
});

/** Tables are made by a client that forgets nothing; retries do not wait. */
const forgetfulPlace = async (): Promise<DynamodbPlace> => ({ ...(await tables.make({ random: () => 0 })), documents: forgetful.documents });

catalogContract('A DynamoDB table that loses the first answer of every write', async () => new DynamodbCatalog(await forgetfulPlace()));
runLedgerContract('A DynamoDB table that loses the first answer of every write', async () => {
  const place = await forgetfulPlace();
  return { ledger: new DynamodbLedger(place), catalog: new DynamodbCatalog(place), close: async () => {} };
});

describe('the run ledger in DynamoDB under chaos', () => {
  it.each(['a', 'b'])('keeps limits, tokens and slots, and lets every run end (seed %s)', async (seed) => {
    const place = await tables.make();
    const chaos = new LedgerChaos(new DynamodbLedger(place), { seed, rounds: 40, width: 5, slots: () => slotsOf(place) });
    expect((await chaos.tell()).completed).toBeGreaterThan(0);
  });

  it('does so when answers are lost', async () => {
    const before = lost();
    const place = await forgetfulPlace();
    const chaos = new LedgerChaos(new DynamodbLedger(place), { seed: 'lost', rounds: 40, width: 5, slots: () => slotsOf(place) });
    expect((await chaos.tell()).completed).toBeGreaterThan(0);
    expect(lost() - before).toBeGreaterThan(20);
  });
});

/** The sets as they lie in the table. */
async function slotsOf({ documents, tableName }: DynamodbPlace): Promise<Map<string, string[]>> {
  const { Items = [] } = await documents.send(new ScanCommand({ TableName: tableName, ConsistentRead: true, FilterExpression: 'sk = :s', ExpressionAttributeValues: { ':s': 'SLOTS' } }));
  return new Map(Items.map(({ pk, runs }) => [String(pk).split('#')[1] as string, [...((runs as Set<string> | undefined) ?? [])]]));
}
