import { rmSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import type { Server } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ECSClient, StopTaskCommand } from '@aws-sdk/client-ecs';
import { ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { CreateSecretCommand, DeleteSecretCommand, PutSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import { backupFamily, stackPlanId } from '../../lib/settings/ids.ts';
import { STACK } from '../support/aws-rig/example-config.ts';
import { fillOrders } from '../support/aws-rig/orders-database.ts';
import { smallDisk } from '../support/aws-rig/small-disk.ts';
import { eventually } from '../support/aws-rig/waiting.ts';
import { startWorld } from '../support/aws-rig/world.ts';
import type { Said, World } from '../support/aws-rig/world.ts';
import { freePort } from '../support/servers/servers.ts';
import { announceStopped, monitor } from './control-plane.ts';

const ROOT = join(__dirname, '..', '..');
const NEVER = '0 0 29 2 *';
/** Large enough to be interrupted. */
const BALLAST = `CREATE TABLE ballast AS SELECT i, repeat(md5(i::text), 30) AS text FROM generate_series(1, 250000) i`;

/** What happens to a run of a plan, the reason that must be told, and what mends it. */
interface Fault {
  readonly title: string;
  readonly plan: string;
  readonly reason: RegExp;
  /** Before the run is asked for. */
  readonly prepare?: () => Promise<void>;
  /** While it runs. */
  readonly strike?: () => Promise<void>;
  readonly mend: () => Promise<void>;
}

describe('a run that cannot succeed ends as failed with its reason, is told once, leaves no backup, and the next one works', () => {
  let world: World;
  let doors: Server | undefined;
  let closedPort: number;
  let disk: ReturnType<typeof smallDisk> | undefined;
  const told: string[] = [];

  beforeAll(async () => {
    closedPort = await freePort();
    world = await startWorld({
      root: ROOT, bundles: process.env['HOLDFAST_BUNDLES'], cron: NEVER,
      morePlans: {
        'wrong-password': { type: 'postgres', secret: 'rehearsal/wrong' },
        'removed-secret': { type: 'postgres', secret: 'rehearsal/removed' },
        unreachable: { type: 'postgres', port: closedPort },
        'full-disk': { type: 'sqlite', file: 'shop.db' },
      },
      moreSecrets: { 'rehearsal/wrong': 'not the password', 'rehearsal/removed': 'about to go' },
      prepare: async ({ postgres, files }) => {
        await fillOrders(postgres);
        await postgres.sql(BALLAST, { database: 'orders' });
        fillDatabase(join(files, 'shop.db'));
      },
    });
  }, 240_000);
  afterAll(async () => {
    doors?.close();
    disk?.remove();
    await world?.stop();
  }, 60_000);

  const secrets = () => new SecretsManagerClient(world.rig.emulator.client);
  const isDumping = async () => (await world.postgres.sql('SELECT pid FROM pg_stat_progress_copy WHERE bytes_processed > 1000000')).length > 0;

  const faults: readonly Fault[] = [
    { title: 'a wrong password', plan: 'wrong-password', reason: /does not let user holdfast in/, mend: async () => {
      await secrets().send(new PutSecretValueCommand({ SecretId: 'rehearsal/wrong', SecretString: JSON.stringify({ password: world.postgres.password }) }));
    } },
    { title: 'a secret that was removed', plan: 'removed-secret', reason: /rehearsal\/removed/, prepare: async () => {
      await secrets().send(new DeleteSecretCommand({ SecretId: 'rehearsal/removed', ForceDeleteWithoutRecovery: true }));
    }, mend: async () => {
      await secrets().send(new CreateSecretCommand({ Name: 'rehearsal/removed', SecretString: JSON.stringify({ password: world.postgres.password }) }));
    } },
    { title: 'a server that cannot be reached', plan: 'unreachable', reason: /host\.docker\.internal|connect/i, mend: async () => {
      doors = await forward(closedPort, world);
    } },
    { title: 'scratch space that is full', plan: 'full-disk', reason: /needs \d+ bytes below \/scratch/, prepare: async () => {
      disk = smallDisk(world.rig, 2_000_000);
      world.rig.damage((order, family) => {
        const host = (order.HostConfig ??= {});
        if (family === backupFamily(STACK, 'full-disk')) host.Binds = [...(host.Binds ?? []), `${disk?.path}:/scratch:rw`];
      });
    }, mend: async () => {
      world.rig.damage(undefined);
      disk?.remove();
      disk = undefined;
    } },
    { title: 'a pg_dump that dies half way', plan: 'orders', reason: /pg_dump|terminat/i, strike: async () => {
      await eventually('the dump to be under way', isDumping, { withinMs: 60_000, explain: () => world.logs() });
      await world.postgres.sql('SELECT pg_terminate_backend(pid) FROM pg_stat_progress_copy');
    }, mend: async () => undefined },
    { title: 'a task that is stopped in the middle of a dump', plan: 'orders', reason: /asked to stop \(SIGTERM\)/, strike: async () => {
      await eventually('the dump to be under way', isDumping, { withinMs: 60_000, explain: () => world.logs() });
      const [run] = await world.ledger.activeRuns();
      await new ECSClient(world.rig.emulator.client).send(new StopTaskCommand({ cluster: world.outputs['HoldfastCluster'], task: run?.taskArn, reason: 'the test stops it' }));
    }, mend: async () => undefined },
    { title: 'a worker that is killed in the middle of a dump', plan: 'orders', reason: /stopped|killed|137|exit/i, strike: async () => {
      await eventually('the dump to be under way', isDumping, { withinMs: 60_000, explain: () => world.logs() });
      const containers = await world.rig.podman.run(['ps', '--quiet', '--filter', `label=com.amazonaws.ecs.task-definition-family=${backupFamily(STACK, 'orders')}`, '--filter', `label=holdfast.rig=${world.rig.folder}`]);
      await world.rig.podman.run(['kill', '--signal', 'KILL', ...containers.split('\n')]);
    }, mend: async () => undefined },
  ];

  test.each(faults)('$title', async ({ plan, reason, prepare, strike, mend }) => {
    await prepare?.();
    const before = await stored(world, plan);
    const asked = world.holdfast(['backup', plan, '--aws', STACK]);
    await strike?.();
    const run = await failed(world, plan, asked);
    expect(run).toMatchObject({ state: 'failed', error: { message: expect.stringMatching(reason) } });
    expect(JSON.stringify(run.error)).not.toContain(world.postgres.password);
    expect((await asked).code).not.toBe(0);
    expect((await asked).stderr).toMatch(reason);
    expect(await stored(world, plan)).toEqual(before);

    await monitor(world);
    await monitor(world);
    const alertOfRun = (texts: readonly string[]) => texts.filter((text) => text.includes(`/${run.runId}`));
    await eventually(`an alert of run ${run.runId}`, async () => {
      told.push(...(await world.alerts()));
      return alertOfRun(told).length > 0 && alertOfRun(world.slack).length > 0;
    }, { withinMs: 20_000, explain: async () => `${told.join('\n')}\n${await world.logs()}` });
    expect(alertOfRun(told)).toHaveLength(1);
    expect(alertOfRun(told)[0]).toMatch(reason);
    expect(alertOfRun(world.slack)).toHaveLength(1);

    await mend();
    const again = await world.holdfast(['backup', plan, '--aws', STACK]);
    expect({ code: again.code, said: again.code === 0 ? '' : again.stderr }).toEqual({ code: 0, said: '' });
  }, 150_000);
});

/** The run that was asked for, once it has failed; a worker that is gone says nothing itself, so ECS does. */
async function failed(world: World, plan: string, asked: Promise<Said>): Promise<LedgerRun> {
  const since = Date.now() - 60_000;
  const run = await eventually(`a run of ${plan}`, async () => (await world.catalog.listRuns({ plan })).find(({ queuedAt, state }) => queuedAt > since && state !== 'completed'), { withinMs: 60_000, explain: async () => `${JSON.stringify(await asked)}\n${await world.logs()}` });
  await announceStopped(world, run.runId);
  return eventually(`run ${run.runId} to end`, async () => {
    const now = await world.ledger.getLedgerRun(run.runId);
    return now?.finishedAt === undefined ? undefined : now;
  }, { withinMs: 20_000, explain: () => world.logs() });
}

/** What a plan has that counts as a backup: in the catalog, and in the vault. */
async function stored(world: World, plan: string): Promise<unknown> {
  const { bucket } = JSON.parse(world.outputs['HoldfastVaults'] as string).main as { bucket: string };
  const { Contents = [] } = await new S3Client({ ...world.rig.emulator.client, forcePathStyle: true }).send(new ListObjectsV2Command({ Bucket: bucket, Prefix: `snapshots/${stackPlanId(STACK, plan)}/` }));
  const { backups } = await world.catalog.listBackups({ plan });
  return { snapshots: Contents.map(({ Key }) => Key), backups: backups.map(({ backupId }) => backupId) };
}

function fillDatabase(path: string): void {
  rmSync(path, { force: true });
  const database = new DatabaseSync(path);
  database.exec(`CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT); WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80000) INSERT INTO items SELECT i, hex(randomblob(50)) FROM n`);
  database.close();
}

/** Opens the port that was closed: what comes there reaches PostgreSQL. */
function forward(port: number, world: World): Promise<Server> {
  const server = createServer((incoming) => {
    const onward = connect(world.postgres.port, '127.0.0.1');
    incoming.pipe(onward).pipe(incoming);
    for (const socket of [incoming, onward]) socket.on('error', () => socket.destroy());
  });
  return new Promise((resolve) => server.listen(port, world.rig.hostAddress, () => resolve(server)));
}
