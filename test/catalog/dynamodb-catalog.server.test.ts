import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { ScanCommand } from '@aws-sdk/lib-dynamodb';
import { DynamodbCatalog } from '../../lib/catalog/dynamodb-catalog.ts';
import { DynamodbLedger } from '../../lib/catalog/dynamodb-ledger.ts';
import type { BackupRecord } from '../../lib/catalog/records.ts';
import { backup, backupId } from '../contract/catalog.ts';
import { admission, ledgerRun, occurrenceOf } from '../contract/run-ledger/records.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import { DynamodbTables } from './dynamodb-tables.ts';

const DAY = 86_400_000;
let server: Ministack;
let tables: DynamodbTables;
beforeAll(async () => {
  server = await startMinistack();
  tables = new DynamodbTables(server);
});
afterAll(async () => {
  tables.close();
  await server.stop();
});

/** A client of its own whose requests can be counted, watched and cut off. */
async function watched() {
  const own = new DynamodbTables(server);
  const place = { ...(await tables.make({ budgetMs: 0 })), documents: own.documents };
  const requests = watch(own.client);
  return { place, requests, catalog: new DynamodbCatalog(place), ledger: new DynamodbLedger(place), close: () => own.close() };
}

interface Requests {
  readonly names: string[];
  /** Asked before each request; what it throws is the answer. */
  before: (name: string) => Promise<void> | void;
}

function watch(client: DynamoDBClient): Requests {
  const requests: Requests = { names: [], before: () => {} };
  client.middlewareStack.add(
    (next, context) => async (args) => {
      const { commandName = '' } = context as { commandName?: string };
      requests.names.push(commandName);
      await requests.before(commandName);
      return next(args);
    },
    { step: 'deserialize', priority: 'high', name: 'watch' },
  );
  return requests;
}

const died = (): Error => Object.assign(new Error('the process died'), { name: 'ValidationException' });

describe('the catalog in DynamoDB', () => {
  it('lists the default page of 10,000 backups in under 1.5 s, and sums them without reading them', async () => {
    const { place, requests, catalog, close } = await watched();
    const day = (number: number): number => 1_700_000_000_000 + number * (DAY / 24);
    const backups = Array.from({ length: 10_000 }, (_, number) => backup(number, { finishedAt: day(number), startedAt: day(number) - 60_000 }));
    await catalog.replaceAll({ plans: [], backups, validations: [] });
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const begin = performance.now();
      expect((await new DynamodbCatalog(place).listBackups()).backups).toHaveLength(1_000);
      times.push(performance.now() - begin);
    }
    requests.names.length = 0;
    const begin = performance.now();
    expect(await catalog.stats()).toMatchObject({ backups: 10_000, plans: [{ latestFinishedAt: day(9_999) }] });
    console.info(`default page of 10,000 backups: ${times.map((time) => time.toFixed(0)).join(', ')} ms; stats: ${(performance.now() - begin).toFixed(0)} ms in ${requests.names.length} requests`);
    expect(Math.min(...times)).toBeLessThan(1_500);
    expect(requests.names.length).toBeLessThan(6);
    const seen = new Set<string>();
    let page = await catalog.listBackups();
    for (;;) {
      for (const one of page.backups) seen.add(one.backupId);
      if (page.next === undefined) break;
      page = await catalog.listBackups({ cursor: page.next });
    }
    expect(seen.size).toBe(10_000);
    close();
  });

  it('lists and sums through years, plans and months without backups', async () => {
    const catalog = new DynamodbCatalog(await tables.make());
    const times = [0, 1, 40, 41, 900, 2_000].map((days) => days * DAY);
    for (const [number, finishedAt] of times.entries()) await catalog.recordBackup(backup(number, { finishedAt, ...(number % 2 === 0 ? {} : { planId: 'b'.repeat(32) as never, planName: 'mail' }) }));
    for (const plan of [undefined, 'mail']) {
      const found: number[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await catalog.listBackups({ limit: 1, ...(plan && { plan }), ...(cursor !== undefined && { cursor }) });
        found.push(...page.backups.map(({ sequence }) => sequence));
        if ((cursor = page.next) === undefined) break;
      }
      expect(found).toEqual(plan === undefined ? [5, 4, 3, 2, 1, 0] : [5, 3, 1]);
    }
  });

  it('keeps its sums right when many writers replace, expire and add backups of one plan at once', async () => {
    const catalog = new DynamodbCatalog(await tables.make());
    await Promise.all([1, 2, 3, 4, 5, 6].map((number) => catalog.recordBackup(backup(number, { bytes: number }))));
    await Promise.all([
      ...[1, 2].map((number) => catalog.setBackupState(backupId(number), 'expired')), catalog.setBackupState(backupId(1), 'expired'),
      catalog.recordBackup(backup(3, { bytes: 30 })), catalog.recordBackup(backup(3, { bytes: 30 })), catalog.recordBackup(backup(7, { bytes: 7, state: 'expired' })),
    ]);
    expect(await catalog.stats()).toMatchObject({ backups: 4, bytes: 30 + 4 + 5 + 6, files: 40 });
    await catalog.setBackupState(backupId(1), 'completed');
    expect(await catalog.stats()).toMatchObject({ backups: 5, bytes: 30 + 4 + 5 + 6 + 1 });
  });
});

describe('a rebuild of the catalog in DynamoDB', () => {
  it('leaves the old catalog whole or the new one, wherever it is killed, and the next one is right', async () => {
    const found = [5, 6, 7].map((number) => backup(number));
    for (let deadAfter = 0; ; deadAfter++) {
      const { requests, catalog, close } = await watched();
      await catalog.recordBackup(backup(1));
      requests.names.length = 0;
      requests.before = () => {
        if (requests.names.length > deadAfter) throw died();
      };
      const isDone = await catalog.replaceAll({ plans: [], backups: found, validations: [] }).then(() => true, () => false);
      requests.before = () => {};
      const listed = (await catalog.listBackups()).backups.map(({ sequence }) => sequence);
      expect([[1], [7, 6, 5]]).toContainEqual(listed);
      expect((await catalog.stats()).backups).toBe(listed.length);
      await catalog.recordBackup(backup(9));
      expect((await catalog.stats()).backups).toBe(listed.length + 1);
      await catalog.replaceAll({ plans: [], backups: [backup(8)], validations: [] });
      expect((await catalog.listBackups()).backups.map(({ sequence }) => sequence)).toEqual([8]);
      expect(await catalog.stats()).toMatchObject({ backups: 1, files: 10 });
      close();
      if (isDone) break;
      expect(deadAfter).toBeLessThan(60);
    }
  });

  it('keeps what runs commit meanwhile, and counts it once', async () => {
    const { requests, catalog, ledger, place, close } = await watched();
    const others = new DynamodbCatalog({ ...place, documents: tables.documents });
    const run = ledgerRun(1);
    await ledger.claimOccurrence(occurrenceOf(run), run);
    await ledger.admit(run.runId, admission(1_000));
    await catalog.recordBackup(backup(1));
    const meanwhile: BackupRecord[] = [backup(20), backup(21), backup(6, { state: 'validated' })];
    let isMarked = false;
    requests.before = async (name) => {
      // After the mark, once per write of the rebuild: while rows are written, and just before the pointer turns.
      const isWrite = name === 'BatchWriteItemCommand' || name === 'TransactWriteItemsCommand';
      const next = isMarked && isWrite ? meanwhile.shift() : undefined;
      isMarked ||= isWrite;
      if (next !== undefined) await others.recordBackup(next);
    };
    await catalog.replaceAll({ plans: [], backups: [5, 6].map((number) => backup(number)), validations: [] });
    expect(meanwhile).toEqual([]);
    expect((await catalog.listBackups()).backups.map(({ sequence }) => sequence)).toEqual([21, 20, 6, 5]);
    expect((await catalog.getBackup(backupId(6))).state).toBe('validated');
    expect(await catalog.stats()).toMatchObject({ backups: 4, files: 40 });
    expect((await ledger.activeRuns()).map(({ runId }) => runId)).toEqual([run.runId]);
    close();
  });

  it('leaves no row of the old generation behind, and gives way to a second rebuild', async () => {
    const { requests, catalog, place, close } = await watched();
    for (const number of [1, 2, 3]) await catalog.recordBackup(backup(number));
    await catalog.replaceAll({ plans: [], backups: [backup(4)], validations: [] });
    const { Items = [] } = await tables.documents.send(new ScanCommand({ TableName: place.tableName }));
    expect(Items.map(({ pk, sk }) => `${pk} ${sk}`).sort()).toEqual([`BACKUP#1 ${backupId(4)}`, 'CATALOG CATALOG', 'MONTHS BACKUP#1', `PLAN#1 ${backup(4).planId}`]);
    const second = new DynamodbCatalog({ ...place, documents: tables.documents });
    requests.names.length = 0;
    let isOvertaken = false;
    requests.before = async (name) => {
      if (isOvertaken || name !== 'BatchWriteItemCommand') return;
      isOvertaken = true;
      await second.replaceAll({ plans: [], backups: [backup(6)], validations: [] });
    };
    await expect(catalog.replaceAll({ plans: [], backups: [backup(5)], validations: [] })).rejects.toMatchObject({ code: 'busy', retryable: true });
    expect((await catalog.listBackups()).backups.map(({ sequence }) => sequence)).toEqual([6]);
    close();
  });
});

describe('rows that DynamoDB cannot keep', () => {
  it('are refused with their size before they are sent', async () => {
    const ledger = new DynamodbLedger(await tables.make());
    const run = ledgerRun(1, { order: 'x'.repeat(410_000) });
    await expect(ledger.claimOccurrence(occurrenceOf(run), run)).rejects.toMatchObject({ code: 'refused', message: expect.stringContaining('bytes'), nextStep: expect.stringContaining('split') });
    expect(await ledger.getOccurrence(run.occurrence)).toBeUndefined();
  });
});
