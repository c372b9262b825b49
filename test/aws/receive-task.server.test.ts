import type { S3Client } from '@aws-sdk/client-s3';
import { performReceiveTask } from '../../lib/aws/receive-task.ts';
import type { ReceiveTaskContext } from '../../lib/aws/receive-task.ts';
import { walKeptLook } from '../../lib/aws/function-ports.ts';
import { openStackVault, placeOf, stackStore } from '../../lib/aws/stack-vault.ts';
import { kmsClient } from '../../lib/aws/clients.ts';
import type { WalStatus } from '../../lib/backup/wal/receive-wal.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { HoldfastError } from '../../lib/model/errors.ts';
import type { PlanId } from '../../lib/model/ids.ts';
import { listKeptNotes, listWal, readWhole } from '../../lib/repository/index.ts';
import type { DeployedPlan } from '../../lib/settings/deployed.ts';
import { stackPlanId } from '../../lib/settings/ids.ts';
import { summariseWal } from '../../lib/sources/postgres/wal/records.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { arnOf, bucketPolicy, onlyOne, roleOf } from '../support/stack/deployed-names.ts';
import { RECEIVING, templateOf } from '../support/stack/synthesize.ts';
import { EmulatedStack, STACK, planOf } from '../support/emulated-stack.ts';
import { startPostgres } from '../support/servers/postgres.ts';
import type { PostgresServer } from '../support/servers/postgres.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const CLUSTER = stackPlanId(STACK, 'cluster');

let stack: EmulatedStack;
let server: PostgresServer;
beforeAll(async () => {
  [stack, server] = await Promise.all([EmulatedStack.start(), startPostgres({ version: 18 })]);
}, 60_000);
afterAll(async () => {
  await Promise.all([stack.stop(), server.stop()]);
});

function cluster(): DeployedPlan {
  const { name: _, source: __, ...plan } = planOf('/');
  const password = { kind: 'secrets-manager', name: 'shop/cluster' } as const;
  return {
    ...plan, name: 'cluster', planId: CLUSTER as PlanId,
    source: { type: 'postgres-physical', host: server.host, port: server.port, database: 'postgres', user: server.user, password, wal: 'fetch', checkpoint: 'fast', minimumSizeBytes: 1 },
    wal: { freshnessMs: 180_000, receiver: { slot: 'holdfast_cluster', partialEveryMs: 500, task: { cpu: 256, memoryMiB: 512, diskGiB: 21 } } },
  };
}

const template = templateOf({ yaml: RECEIVING });
const { arn: principal, statements: identity } = roleOf(template, 'receives the WAL of plan cluster');
const bucketId = onlyOne(template, 'AWS::S3::Bucket');
const ACTIONS: Readonly<Record<string, string>> = { GetObjectCommand: 's3:GetObject', HeadObjectCommand: 's3:GetObject', PutObjectCommand: 's3:PutObject', ListObjectsV2Command: 's3:ListBucket' };

/** The vault as the task's role sees it: every call is decided by the policies of the template. */
function seenByRole(s3: S3Client, denied: string[]): S3Client {
  const send = async (command: { readonly constructor: { readonly name: string }; readonly input: { readonly Key?: string; readonly Prefix?: string } }, ...more: unknown[]): Promise<unknown> => {
    const { Key, Prefix } = command.input;
    const action = ACTIONS[command.constructor.name] ?? command.constructor.name;
    const resource = `${arnOf(template, bucketId)}${Key === undefined ? '' : `/${Key}`}`;
    const context = { 'aws:SecureTransport': 'true', ...(action === 's3:PutObject' && { 's3:if-none-match': '*' }), ...(Prefix !== undefined && { 's3:prefix': Prefix }) };
    if (!isAllowed({ action, resource, principal, context }, { identity, resource: bucketPolicy(template, bucketId) })) {
      denied.push(`${action} ${Key ?? Prefix}`);
      throw Object.assign(new Error('Access Denied'), { name: 'AccessDenied', $metadata: { httpStatusCode: 403 } });
    }
    return (s3.send as (...all: unknown[]) => Promise<unknown>)(command, ...more);
  };
  return new Proxy(s3, { get: (target, name) => (name === 'send' ? send : (Reflect.get(target, name) as unknown)) });
}

/** The process of the task, without its container. */
class Receiving {
  readonly failures: HoldfastError[] = [];
  readonly statuses: WalStatus[] = [];
  /** What its role has no right to. */
  readonly denied: string[] = [];
  readonly #stop = new AbortController();
  readonly ended: ReturnType<typeof performReceiveTask>;

  constructor(change: Partial<ReceiveTaskContext> = {}) {
    const { vaults, s3, aws } = stack;
    this.ended = performReceiveTask(cluster(), {
      vaults, s3: seenByRole(s3, this.denied), kms: kmsClient(aws.client), clock: systemClock, signal: this.#stop.signal, scratchFolder: temporaryFolder(),
      commandEnvironment: { PATH: `${server.binaries}:${process.env['PATH'] ?? ''}` }, resolveSecret: async () => server.password,
      onFailure: (error) => void this.failures.push(error), onStatus: (status) => void this.statuses.push(status), onKeptUp: () => undefined, onWarning: () => undefined, ...change,
    });
  }

  async until(isSo: (latest: WalStatus | undefined) => boolean): Promise<void> {
    const deadline = Date.now() + 30_000;
    while (!isSo(this.statuses.at(-1))) {
      if (Date.now() > deadline) throw new Error(`after 30 s: ${JSON.stringify(this.failures.map(({ message }) => message))}, ${this.statuses.length} statuses`);
      await systemClock.sleep(50);
    }
  }

  stop(): ReturnType<typeof performReceiveTask> {
    this.#stop.abort();
    return this.ended;
  }
}

describe('the task that receives WAL in a stack, with a real server and the emulator (S2, R4)', () => {
  it('keeps what the server writes, whole and readable, notes that all is kept, and deletes nothing', async () => {
    const { s3, vaults, aws } = stack;
    const look = walKeptLook({ vaults, s3: () => s3 }, { clock: systemClock });
    const plan = cluster();
    const startedAt = Date.now();
    expect(await look(plan, 0)).toBeUndefined();
    const receiving = new Receiving();
    await receiving.until((status) => status !== undefined);
    await server.sql("create table words as select 'the plain words of nobody else' as text from generate_series(1, 2000)");
    const [{ segment } = { segment: '' }] = await server.sql<{ segment: string }>('select pg_walfile_name(pg_switch_wal()) as segment');
    await server.sql('create table more as select 1 as one');
    let kept: number | undefined;
    await receiving.until(({ behindBytes } = {} as WalStatus) => behindBytes === 0);
    while (kept === undefined) kept = await look(plan, startedAt - 60_000);
    // By the clock of the emulator, which is that of this machine, to the second.
    expect(kept).toBeGreaterThanOrEqual(startedAt - 1000);
    expect(await receiving.stop()).toMatchObject({ archivedFiles: expect.any(Number) });
    expect([receiving.failures, receiving.denied]).toEqual([[], []]);

    const { repository } = await openStackVault(placeOf('main', vaults), { s3, kms: kmsClient(aws.client), clock: systemClock });
    const entries = await listWal(repository.store, CLUSTER);
    expect(entries.map(({ kind, name }) => `${kind} ${name}`)).toContain(`segment ${segment}`);
    const whole = entries.find(({ kind, name }) => kind === 'segment' && name === segment)!;
    const { bytes } = await readWhole(repository, whole);
    expect(bytes.length).toBe(16 << 20);
    expect(summariseWal(bytes, segment).lastTransactionAt).toBeDefined();
    // Beginnings stay, because its role deletes nothing.
    expect(entries.filter(({ kind }) => kind === 'partial').length).toBeGreaterThan(0);
    for (const { name } of whole.objects) expect(Buffer.from(await stackStore(placeOf('main', vaults), { s3, clock: systemClock }).get(name)).includes('the plain words')).toBe(false);
    expect((await listKeptNotes(repository.store, CLUSTER)).length).toBeGreaterThan(0);
  }, 60_000);

  it('says what is wrong without the secret, tries again by itself, and ends when it is asked to', async () => {
    let password = 'not the password';
    const receiving = new Receiving({ resolveSecret: async () => password, clock: { now: systemClock.now, sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 100), signal) } });
    await receiving.until(() => receiving.failures.length > 1);
    expect(receiving.failures[0]?.message).toMatch(/does not let user \w+ in with the password/);
    expect(JSON.stringify(receiving.failures.map(({ message, nextStep }) => [message, nextStep]))).not.toContain(password);
    password = server.password;
    await receiving.until((status) => status !== undefined);
    await receiving.stop();
  }, 60_000);
});
