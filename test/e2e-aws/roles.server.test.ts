import { join } from 'node:path';
import { DeleteObjectCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { stackPlanId } from '../../lib/settings/ids.ts';
import { STACK } from '../support/aws-rig/example-config.ts';
import { fillMedia, treeOf } from '../support/aws-rig/media-tree.ts';
import { contentOf, fillOrders } from '../support/aws-rig/orders-database.ts';
import { deployedTemplates } from '../support/aws-rig/deployed-template.ts';
import { assumeRole } from '../support/aws-rig/task-roles.ts';
import { startWorld } from '../support/aws-rig/world.ts';
import type { World } from '../support/aws-rig/world.ts';
import { step } from './steps.ts';

const ROOT = join(__dirname, '..', '..');

describe('with IAM enforced over TLS, and each task under its own role (C6)', () => {
  let world: World;
  const bucket = () => (JSON.parse(world.outputs['HoldfastVaults'] as string).main as { bucket: string }).bucket;

  beforeAll(async () => {
    world = await startWorld({ root: ROOT, isEnforced: true, bundles: process.env['HOLDFAST_BUNDLES'], cron: '0 0 29 2 *', prepare: async ({ postgres, files }) => {
      await fillOrders(postgres);
      fillMedia(files);
    } });
  }, 240_000);
  afterAll(async () => world?.stop(), 60_000);

  const succeeds = async (args: readonly string[]) => {
    const { code, stdout, stderr } = await world.holdfast([...args, '--aws', STACK]);
    expect({ code, said: code === 0 ? '' : `${stdout}${stderr}\n${await world.logs()}` }).toEqual({ code: 0, said: '' });
  };

  step('the stack is deployed; what the emulator cannot evaluate was taken out by name', async () => {
    console.log(`not evaluated: ${world.deployed.unchecked.join('; ')}`);
    expect(world.deployed.unchecked.every((line) => /s3:if-none-match|kms:|dynamodb:LeadingKeys|ecs:|iam:PassedToService|aws:Source|states:SendTask/.test(line))).toBe(true);
  });

  step('the functions and the tasks of both plans have the rights that they need', async () => {
    await succeeds(['backup', 'orders']);
    await succeeds(['backup', 'media']);
  });

  step('the restore tasks have the rights that they need', async () => {
    const before = await contentOf(world.postgres);
    await world.postgres.sql('DROP DATABASE orders WITH (FORCE)');
    await succeeds(['restore', 'latest:orders', '--to-target', 'orders-again', '--yes']);
    expect(await contentOf(world.postgres)).toEqual(before);
    await succeeds(['restore', 'latest:media', '--to-target', 'media-again', '--yes']);
    expect(treeOf(join(world.files.to, 'media'))).toEqual(treeOf(world.files.from));
  });

  step('the role of a plan reads no data, deletes nothing and writes no other plan\'s backups', async () => {
    const s3 = await asRoleOf(world, 'Planorders');
    const { Contents = [] } = await new S3Client({ ...world.rig.emulator.client, forcePathStyle: true }).send(new ListObjectsV2Command({ Bucket: bucket() }));
    const keyOf = (prefix: string) => Contents.find(({ Key }) => Key?.startsWith(prefix))?.Key as string;
    const denied = { name: 'AccessDenied' };
    await expect(s3.send(new GetObjectCommand({ Bucket: bucket(), Key: keyOf('packs/hot/') }))).rejects.toMatchObject(denied);
    await expect(s3.send(new DeleteObjectCommand({ Bucket: bucket(), Key: keyOf('snapshots/') }))).rejects.toMatchObject(denied);
    await expect(s3.send(new PutObjectCommand({ Bucket: bucket(), Key: `snapshots/${stackPlanId(STACK, 'media')}/forged`, Body: 'x', IfNoneMatch: '*' }))).rejects.toMatchObject(denied);
    // The control: the same credentials may do what the worker needs.
    await s3.send(new GetObjectCommand({ Bucket: bucket(), Key: 'holdfast.json' }));
  });
});

async function asRoleOf(world: World, construct: string): Promise<S3Client> {
  const [template] = await deployedTemplates(world.rig.cdk.output, world.rig.emulator);
  const id = Object.entries(template?.resources ?? {}).find(([name, { Type }]) => Type === 'AWS::IAM::Role' && name.startsWith(construct))?.[0];
  if (template === undefined || id === undefined) throw new Error(`no role of ${construct} in the template`);
  const { AccessKeyId: accessKeyId, SecretAccessKey: secretAccessKey, Token: sessionToken } = await assumeRole(world.rig.emulator, `arn:aws:iam::000000000000:role/${template.physical(id)}`);
  return new S3Client({ ...world.rig.emulator.client, credentials: { accessKeyId, secretAccessKey, sessionToken }, forcePathStyle: true });
}
