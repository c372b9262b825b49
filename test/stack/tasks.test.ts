import { WORKER_SCRATCH, WORKER_USER } from '../../lib/stack/worker-places.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readWorkerSettings } from '../../lib/settings/worker.ts';
import { resolved, roleOf } from '../support/stack/deployed-names.ts';
import { EXAMPLE, ofType, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf();
const tasks = ofType(template, 'AWS::ECS::TaskDefinition').map(([, { Properties }]) => resolved(template, Properties));
const task = (family: string) => tasks.find(({ Family }) => Family === family);

describe('task definitions', () => {
  test('harden every container: no root, no writable root, no other container, a log that is kept', () => {
    expect(tasks.length).toBe(6);
    for (const { Family, ContainerDefinitions: [container, ...more], RequiresCompatibilities, NetworkMode } of tasks) {
      expect([Family, more]).toEqual([Family, []]);
      expect(container).toMatchObject({ Name: 'worker', User: WORKER_USER, ReadonlyRootFilesystem: true, StopTimeout: 120, Essential: true, LinuxParameters: { Capabilities: { Drop: ['ALL'] } } });
      expect(container.Privileged ?? false).toBe(false);
      expect(container.Secrets).toBeUndefined();
      expect(container.LogConfiguration.Options).toMatchObject({ 'awslogs-stream-prefix': Family, 'mode': 'non-blocking' });
      expect([RequiresCompatibilities, NetworkMode]).toEqual([['FARGATE'], 'awsvpc']);
    }
    for (const [, { Properties }] of ofType(template, 'AWS::Logs::LogGroup')) expect(Properties['RetentionInDays']).toBeGreaterThanOrEqual(90);
  });

  test('run as the user and with the scratch that the image makes ready', () => {
    const dockerfile = readFileSync(join(__dirname, '..', '..', 'containers', 'worker', 'Dockerfile'), 'utf8');
    expect(dockerfile).toContain(`USER ${WORKER_USER}\n`);
    expect(dockerfile).toContain(`VOLUME ${WORKER_SCRATCH}\n`);
    for (const { ContainerDefinitions: [container], Volumes } of tasks) {
      expect(container.MountPoints).toContainEqual({ ContainerPath: WORKER_SCRATCH, ReadOnly: false, SourceVolume: 'scratch' });
      expect(Volumes).toContainEqual({ Name: 'scratch' });
    }
  });

  test('carry an environment that the worker reads', () => {
    const environment = Object.fromEntries((task('shop-backup-orders').ContainerDefinitions[0].Environment as { Name: string; Value: string }[]).map(({ Name, Value }) => [Name, Value]));
    const settings = readWorkerSettings({ ...environment, HOLDFAST_RUN_ID: '01ARZ3NDEKTSV4RRFFQ69G5FAV' });
    expect(settings).toMatchObject({ stackName: 'shop', table: 'CatalogTableBBEA0CBC', vaults: { main: { bucket: 'vaultmainbucket4108c6af', prefix: '' } } });
  });

  test('have a role each; the role that starts them is none of theirs', () => {
    const roles = tasks.map(({ TaskRoleArn }) => TaskRoleArn);
    expect(new Set(roles).size).toBe(tasks.length);
    for (const { ExecutionRoleArn } of tasks) expect(roles).not.toContain(ExecutionRoleArn);
  });

  test('see file systems through TLS and IAM: a backup reads them, a restore writes them', () => {
    const [backup, restore] = [task('shop-backup-media'), task('shop-restore-media-copy')];
    for (const { Volumes } of [backup, restore]) expect(Volumes).toContainEqual(expect.objectContaining({ EFSVolumeConfiguration: expect.objectContaining({ TransitEncryption: 'ENABLED', AuthorizationConfig: expect.objectContaining({ IAM: 'ENABLED' }) }) }));
    const mount = (of: typeof backup) => of.ContainerDefinitions[0].MountPoints.find(({ SourceVolume }: { SourceVolume: string }) => SourceVolume.startsWith('efs-'));
    expect([mount(backup).ReadOnly, mount(restore).ReadOnly]).toEqual([true, false]);
    const actions = (description: string) => roleOf(template, description).statements.flatMap(({ Action }) => Action).filter((action) => action.startsWith('elasticfilesystem:'));
    expect(actions('backups of plan media')).toEqual(['elasticfilesystem:ClientMount']);
    expect(actions('restores to media-copy').sort()).toEqual(['elasticfilesystem:ClientMount', 'elasticfilesystem:ClientWrite']);
    expect(actions('backups of plan orders')).toEqual([]);
  });

  test('name each file system once, also when two paths show it', () => {
    const mount = /- \{ path: [^\n]*file-system: (fs-[0-9a-f]+)[^\n]*\n/.exec(EXAMPLE)?.[0] ?? '';
    const twice = templateOf({ yaml: EXAMPLE.replace(mount, `${mount}      ${mount.trim().replace(/path: [^,]+/, 'path: /again')}\n`) });
    const both = ofType(twice, 'AWS::ECS::TaskDefinition').map(([, { Properties }]) => resolved(twice, Properties)).find(({ ContainerDefinitions: [{ MountPoints }] }) => MountPoints.some(({ ContainerPath }: { ContainerPath: string }) => ContainerPath === '/again'));
    const names = both?.Volumes.map(({ Name }: { Name: string }) => Name);
    expect([names.length, new Set(names).size, both?.ContainerDefinitions[0].MountPoints.length]).toEqual([2, 2, 3]);
  });

  test('take an image by digest instead of building one, and no image by tag', () => {
    const reference = `111122223333.dkr.ecr.eu-central-1.amazonaws.com/worker@sha256:${'a'.repeat(64)}`;
    const [, built] = ofType(templateOf({ image: { kind: 'prebuilt', reference } }), 'AWS::ECS::TaskDefinition')[0] as [string, { Properties: Record<string, any> }]; // eslint-disable-line typescript/no-explicit-any -- a template
    expect(built.Properties['ContainerDefinitions'][0].Image).toBe(reference);
    expect(() => templateOf({ image: { kind: 'prebuilt', reference: 'worker:latest' } })).toThrow(/name@sha256:digest/);
  });
});
