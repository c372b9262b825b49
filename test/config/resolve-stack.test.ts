import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jsonSchema } from '../../lib/config/json-schema.ts';
import { loadConfig } from '../../lib/config/load-config.ts';
import { resolvePlans, resolveVaults } from '../../lib/config/resolve-plans.ts';
import { deployConfig } from '../../lib/settings/deploy-config.ts';
import { parseDeployedPlan } from '../../lib/settings/parse-deployed.ts';
import { resolveStack } from '../../lib/config/resolve-stack.ts';
import { secretText } from '../../lib/config/secret-reference.ts';
import { FARGATE_SIZES } from '../../lib/config/task-size.ts';

const FILE = `
vaults:
  main: { aws: { object-lock: { mode: compliance, days: 90, confirm-compliance: main }, tiers: { cold-after-days: 0 }, max-concurrent-runs: 2 } }
  brought: { aws: { existing-bucket: our-backups, existing-key: "arn:aws:kms:eu-central-1:111122223333:key/1234abcd" } }
  near: { directory: /vault, key-file: /key }
  far: { s3: { bucket: abc, prefix: a/b, endpoint: "https://s3.example.com:9000/", region: eu, ca-file: ca.pem }, kms-key: alias/v }
  plain: { s3: { bucket: abc }, passphrase: "\${env:WORDS}" }
networks:
  inner: { vpc: vpc-01234567, subnets: [subnet-01234567], security-groups: [sg-01234567], public-address: true }
plans:
  shop:
    vault: main
    source: { type: postgres, host: db.inner, database: shop, user: "\${secret:shop#username}", password: "\${secret:arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop-AbCdEf#password}", ssl-mode: verify-full, ssl-root-cert: system, exclude-tables: [sessions], minimum-size: 1 MiB }
    policy: database
    network: inner
    task: { cpu: 2048, memory: 8 GiB, disk: 100 GiB }
    events: [{ pattern: { source: [deploys] } }, { pattern: { source: [aws.s3], detail: { bucket: { name: [in] } } }, collapse-minutes: 30 }]
    freshness-hours: 30
    start-window-minutes: 15
    max-duration-minutes: 90
  files: { vault: main, source: { type: files, paths: [/mnt/media] }, mounts: [{ path: /mnt, file-system: fs-01234567, access-point: fsap-01234567 }], policy: media }
  often: { vault: brought, source: { type: command, command: date, stdin-name: d }, policy: { frequency: hourly } }
  asked: { vault: brought, source: { type: command, command: date, stdin-name: d } }
  here: { vault: near, source: { type: postgres, host: h, port: 5433, database: d, user: u, password: "\${file:pw}" } }
restore-targets:
  copy: { type: postgres, host: copy.inner, database: shop, user: u, password: "\${ssm:/copy/password}", create-database: true, network: inner }
  disk: { type: directory, path: /mnt/restored, mounts: [{ path: /mnt, file-system: fs-01234567 }] }
notifications: { email: [ops@example.com], slack: "\${secret:slack}" }
`;
const config = loadConfig(FILE, '/etc/holdfast/holdfast.yaml', { home: '/home/someone' });

describe('what a stack makes of a file (P2, K4, K7)', () => {
  const stack = resolveStack(config);

  it('has the vaults of kind aws, with their defaults', () => {
    expect(stack.vaults).toEqual([
      { kind: 'aws', name: 'main', lock: { mode: 'compliance', days: 90 }, warmAfterDays: 30, coldAfterDays: 0, maxConcurrentRuns: 2 },
      { kind: 'aws', name: 'brought', existingBucket: 'our-backups', existingKey: 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd', lock: { mode: 'none', days: 0 }, warmAfterDays: 30, coldAfterDays: 30, maxConcurrentRuns: 4 },
    ]);
    const [simple] = resolveStack(loadConfig('vaults: { v: { aws: {} } }', '/h.yaml')).vaults;
    expect(simple).toMatchObject({ lock: { mode: 'governance', days: 30 }, warmAfterDays: 30, coldAfterDays: 30, maxConcurrentRuns: 4 });
  });

  it('has their plans alone, every field filled in', () => {
    expect(stack.plans.map(({ name }) => name)).toEqual(['shop', 'files', 'often', 'asked']);
    expect(stack.plans[0]).toMatchObject({
      source: {
        type: 'postgres', host: 'db.inner', port: 5432, database: 'shop', user: { kind: 'secrets-manager', name: 'shop', key: 'username' },
        password: { kind: 'secrets-manager', name: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:shop-AbCdEf', key: 'password' },
        sslMode: 'verify-full', sslRootCert: 'system', globals: 'none', schemas: [], content: 'all', jobs: 1, rowCounts: 'auto', excludeTables: ['sessions'], minimumSizeBytes: 2 ** 20,
      },
      network: 'inner', task: { cpu: 2048, memoryMiB: 8192, diskGiB: 100 }, mounts: [],
      events: [{ pattern: { source: ['deploys'] }, collapseMinutes: 5 }, { pattern: { source: ['aws.s3'], detail: { bucket: { name: ['in'] } } }, collapseMinutes: 30 }],
      freshnessHours: 30, startWindowMinutes: 15, maxDurationMinutes: 90,
    });
    expect(stack.plans[1]).toMatchObject({ network: 'default', task: { cpu: 1024, memoryMiB: 2048, diskGiB: 21 }, mounts: [{ path: '/mnt', fileSystem: 'fs-01234567', accessPoint: 'fsap-01234567' }], events: [], startWindowMinutes: 60, maxDurationMinutes: 720 });
  });

  it('gives each plan the freshness that it promises with time to run in, and one that runs less often a day more than its schedule takes (M1)', () => {
    const fresh = (policy: string) => resolveStack(loadConfig(`vaults: { v: { aws: {} } }\nplans: { p: { source: { type: command, command: x, stdin-name: d }, policy: ${policy} } }`, '/h.yaml')).plans[0]?.freshnessHours;
    expect(['{}', 'database', '{ frequency: hourly }', '{ based-on: media, frequency: daily }', 'media', '{ frequency: weekly }', '{ frequency: { cron: "0 9 * * 1-5" } }'].map(fresh)).toEqual([24, 26, 24, 48, 192, 192, 96]);
  });

  it.each([
    ['', '{}', { freshnessMs: 900_000, receiver: { slot: 'holdfast_shop_db', partialEveryMs: 60_000, task: { cpu: 256, memoryMiB: 512, diskGiB: 21 } } }],
    [', wal-freshness: 30m', '{ cpu: 512, memory: 1 GiB, disk: 50 GiB, slot: own, partial-every: 10s }', { freshnessMs: 1_800_000, receiver: { slot: 'own', partialEveryMs: 10_000, task: { cpu: 512, memoryMiB: 1024, diskGiB: 50 } } }],
    ['', '{ partial-every: 8m }', { freshnessMs: 1_440_000, receiver: { partialEveryMs: 480_000 } }],
  ])('receives WAL with sizes and times that fit, deployed as they are (R4): source%s, wal-receiver: %s', (source, receiver, wal) => {
    const config = loadConfig(`vaults: { v: { aws: {} } }\nplans: { Shop.DB: { source: { type: postgres, mode: physical, host: h, user: u${source} }, wal-receiver: ${receiver} } }`, '/h.yaml');
    expect(resolveStack(config).plans[0]?.wal).toMatchObject(wal);
    const [plan] = deployConfig(config, 'prod').plans;
    expect(parseDeployedPlan(JSON.stringify(plan)).wal).toMatchObject(wal);
  });

  it('makes the network `default` when somebody uses it and nobody described it', () => {
    expect(stack.networks).toEqual({ default: { kind: 'made' }, inner: { kind: 'existing', vpc: 'vpc-01234567', subnets: ['subnet-01234567'], securityGroups: ['sg-01234567'], assignPublicIp: true } });
    const described = loadConfig('vaults: { v: { aws: {} } }\nnetworks: { default: { vpc: vpc-01234567, subnets: [subnet-01234567], security-groups: [sg-01234567] } }\nplans: { p: { source: { type: command, command: x, stdin-name: d } } }', '/h.yaml');
    expect(resolveStack(described).networks).toMatchObject({ default: { kind: 'existing', assignPublicIp: false } });
    expect(resolveStack(loadConfig('vaults: { v: { aws: {} } }', '/h.yaml')).networks).toEqual({});
  });

  it('has restore targets and who is told', () => {
    expect(stack.restoreTargets).toEqual([
      { name: 'copy', target: { type: 'postgres', host: 'copy.inner', port: 5432, database: 'shop', user: 'u', password: { kind: 'ssm', name: '/copy/password' }, createDatabase: true }, network: 'inner', task: { cpu: 1024, memoryMiB: 2048, diskGiB: 21 } },
      { name: 'disk', target: { type: 'directory', path: '/mnt/restored', mounts: [{ path: '/mnt', fileSystem: 'fs-01234567' }] }, network: 'default', task: { cpu: 1024, memoryMiB: 2048, diskGiB: 21 } },
    ]);
    expect(stack.notifications).toEqual({ emails: ['ops@example.com'], slackWebhook: { kind: 'secrets-manager', name: 'slack' } });
  });

  it('takes every size that Fargate has, and memory of no other (P8)', () => {
    const load = (cpu: number, memory: number) => loadConfig(`vaults: { v: { aws: {} } }\nplans: { p: { source: { type: command, command: x, stdin-name: d }, task: { cpu: ${cpu}, memory: ${memory} MiB } } }`, '/h.yaml');
    for (const [cpu, sizes] of FARGATE_SIZES) {
      for (const memory of sizes) expect(resolveStack(load(cpu, memory)).plans[0]?.task).toMatchObject({ cpu, memoryMiB: memory });
      expect(() => load(cpu, (sizes.at(-1) as number) + 512)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
    }
    expect([...FARGATE_SIZES].map(([cpu, sizes]) => [cpu, sizes[0], sizes.at(-1), sizes.length])).toEqual([[256, 512, 2048, 3], [512, 1024, 4096, 4], [1024, 2048, 8192, 7], [2048, 4096, 16_384, 13], [4096, 8192, 30_720, 23], [8192, 16_384, 61_440, 12], [16_384, 32_768, 122_880, 12]]);
  });
});

describe('vaults and plans that are not of a stack', () => {
  it('keep their places: a directory, a bucket of any store that speaks S3', () => {
    expect(resolveVaults(config).slice(2)).toEqual([
      { kind: 'directory', name: 'near', directory: '/vault', key: { kind: 'key-file', path: '/key' } },
      { kind: 's3', name: 'far', bucket: 'abc', prefix: 'a/b', endpoint: 'https://s3.example.com:9000', region: 'eu', pathStyle: true, caFile: '/etc/holdfast/ca.pem', key: { kind: 'kms', keyId: 'alias/v' } },
      { kind: 's3', name: 'plain', bucket: 'abc', prefix: '', pathStyle: false, key: { kind: 'passphrase', secret: { kind: 'env', name: 'WORDS' } } },
    ]);
  });

  it('may name secrets of this machine, and files are found beside the configuration', () => {
    expect(resolvePlans(config).find(({ name }) => name === 'here')?.source).toEqual({ type: 'postgres', host: 'h', port: 5433, database: 'd', user: 'u', password: { kind: 'file', name: '/etc/holdfast/pw' }, globals: 'none', schemas: [], content: 'all', jobs: 1, rowCounts: 'auto', excludeTables: [], minimumSizeBytes: 1 });
  });

  it('have restore targets that are databases, with secrets of this machine', () => {
    const local = loadConfig('vaults: { v: { directory: /v, key-file: /k } }\nrestore-targets: { t: { type: postgres, host: h, database: d, user: u, password: "${env:PGPASSWORD}", ssl-root-cert: ca.pem } }', '/etc/h.yaml');
    expect(local.fields['restore-targets']?.['t']).toMatchObject({ type: 'postgres', port: 5432, password: { kind: 'env', name: 'PGPASSWORD' } });
    expect(resolveStack(local)).toMatchObject({ vaults: [], plans: [] });
  });

  it('may name secrets of AWS for a password; a reference is shown as it was written', () => {
    const [only] = resolvePlans(loadConfig('vaults: { v: { directory: /v, key-file: /k } }\nplans: { p: { source: { type: postgres, host: h, database: d, user: u, password: "${secret:a/b#k}" } } }', '/h.yaml'));
    expect(only?.source.type === 'postgres' && secretText(only.source.password!)).toBe('${secret:a/b#k}');
  });
});

describe('docs/configuration.md', () => {
  const text = readFileSync(join(__dirname, '..', '..', 'docs', 'configuration.md'), 'utf8');
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block]) => block as string);

  it('has a commented example that loads as it is, for each runtime', () => {
    const [awsExample, localExample] = blocks.slice(0, 2).map((block) => loadConfig(block, '/etc/holdfast/holdfast.yaml', { home: '/home/me' }));
    expect(resolveStack(awsExample!).plans.map(({ name }) => name)).toEqual(['shop', 'media', 'orders']);
    expect(resolveVaults(localExample!).map(({ kind }) => kind)).toEqual(['directory', 's3', 's3']);
    const [withHooks] = resolvePlans(loadConfig(`vaults: { v: { directory: /v, key-file: /k } }\n${blocks[2]}`, '/h.yaml'));
    expect(withHooks?.hooks).toMatchObject({ before: { command: 'systemctl stop shop' }, after: { command: ['systemctl', 'start', 'shop'] }, onFailure: { timeoutMs: 90_000 } });
  });

  it.each(['holdfast-aws.yaml'])('goes with examples/%s, which loads as it is', (name) => {
    const file = join(__dirname, '..', '..', 'examples', name);
    expect(resolveStack(loadConfig(readFileSync(file, 'utf8'), file)).plans.length).toBeGreaterThan(1);
  });

  it('names every key of the file', () => {
    const known = [...propertyNames(jsonSchema())];
    expect(known.length).toBeGreaterThan(80);
    expect(known.filter((key) => !new RegExp(`\`(?:[\\w.-]*\\.)?${key}\``).test(text))).toEqual([]);
  });
});

/** Every key that a map of the file can have, of whatever depth. */
function propertyNames(node: unknown, found = new Set<string>()): Set<string> {
  if (typeof node !== 'object' || node === null) return found;
  const { properties } = node as { properties?: unknown };
  if (typeof properties === 'object' && properties !== null) for (const key of Object.keys(properties)) found.add(key);
  for (const inner of Object.values(node)) propertyNames(inner, found);
  return found;
}
