import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig } from '../../lib/config/load-config.ts';
import type { DeployedPlan } from '../../lib/settings/deployed.ts';
import { configHash, deployConfig } from '../../lib/settings/deploy-config.ts';
import { stackPlanId } from '../../lib/settings/ids.ts';
import { parseDeployedConfig, parseDeployedPlan } from '../../lib/settings/parse-deployed.ts';

const EXAMPLE = join(__dirname, '..', '..', 'examples', 'holdfast-aws.yaml');
const example = readFileSync(EXAMPLE, 'utf8');
const load = (text: string) => loadConfig(text, '/etc/holdfast.yaml', { home: '/home/me' });

const VAULT = 'vaults: { v: { aws: {} } }\n';
const PLANS = {
  a: '  a: { source: { type: command, command: x, stdin-name: d }, policy: daily-ones, mounts: [{ path: /mnt, file-system: fs-01234567 }] }\n',
  b: '  b: { source: { type: files, paths: [/mnt/b] }, mounts: [{ path: /mnt, file-system: fs-01234567 }], policy: { frequency: { cron: "5 4 * * *", time-zone: Asia/Tokyo } } }\n',
};
const POLICIES = 'policies: { daily-ones: { frequency: daily } }\n';

describe('what a stack deploys (design: Plans)', () => {
  const deployed = deployConfig(load(`${VAULT}${POLICIES}plans:\n${PLANS.b}${PLANS.a}`), 'prod');

  it('is the same wherever a plan stands in the file, and has the same hash', () => {
    const moved = deployConfig(load(`plans:\n${PLANS.a}${PLANS.b}${POLICIES}${VAULT}`), 'prod');
    expect(JSON.stringify(moved)).toBe(JSON.stringify(deployed));
    expect(configHash(moved)).toBe(configHash(deployed));
    expect(configHash(deployed)).toMatch(/^[0-9a-f]{64}$/);
    expect(deployed.plans.map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('has another hash when anything of it changes', () => {
    const changed = deployConfig(load(`${VAULT}${POLICIES}plans:\n${PLANS.b}${PLANS.a.replace('command: x', 'command: y')}`), 'prod');
    const hashes = [deployed, changed, { ...deployed, stackName: 'test' }].map(configHash);
    expect(new Set(hashes).size).toBe(3);
  });

  it('carries the public halves of the recipients of a vault, and reads them back (K11)', () => {
    const recipients = [{ label: 'office.recipient', text: 'holdfast-recipient-1:...' }];
    const made = deployConfig(load(`${VAULT}${POLICIES}plans:\n${PLANS.a}`), 'prod', { v: recipients });
    expect(parseDeployedConfig(JSON.stringify(made)).vaults).toEqual([{ name: 'v', maxConcurrentRuns: 4, recipients }]);
  });

  it('does not hash the order in which keys were written', () => {
    const { version, ...rest } = deployed;
    expect(configHash({ ...rest, version })).toBe(configHash(deployed));
  });

  it('names plans by ids that follow from the stack, and times that spread', () => {
    const [a, b] = deployed.plans;
    expect(a?.planId).toBe(stackPlanId('prod', 'a'));
    expect(a?.schedule).toEqual({ cron: '0 2 * * *', timeZone: 'UTC', offsetMinutes: Number.parseInt(a!.planId.slice(0, 8), 16) % 60 });
    expect(b?.schedule).toEqual({ cron: '5 4 * * *', timeZone: 'Asia/Tokyo', offsetMinutes: 0 });
    const minutes = Array.from({ length: 40 }, (_, index) => deployConfig(load(`${VAULT}plans: { p${index}: { source: { type: command, command: x, stdin-name: d }, policy: database } }`), 'prod').plans[0]?.schedule?.offsetMinutes);
    expect(new Set(minutes).size).toBeGreaterThan(20);
  });

  it('carries databases of MariaDB and MySQL with references to their secrets alone, and reads them back (S11)', () => {
    const place = 'host: db, user: "${secret:rds/shop#username}", password: "${secret:rds/shop#password}"';
    const made = deployConfig(load(`${VAULT}plans: { a: { source: { type: mysql, ${place}, database: shop } }, b: { source: { type: mariadb, ${place}, databases: all, ssl-mode: require } } }`), 'prod');
    const [a, b] = parseDeployedConfig(JSON.stringify(made)).plans;
    expect(a?.source).toEqual({ type: 'mysql', host: 'db', port: 3306, databases: ['shop'], user: { kind: 'secrets-manager', name: 'rds/shop', key: 'username' }, password: { kind: 'secrets-manager', name: 'rds/shop', key: 'password' }, excludeTables: [], minimumSizeBytes: 1 });
    expect(b?.source).toMatchObject({ type: 'mariadb', databases: 'all', sslMode: 'require' });
    expect(() => load(`${VAULT}plans: { a: { source: { type: mysql, host: db, user: u, database: d, password: "\${env:PW}" } } }`)).toThrow(/a\.source\.password is \$\{env:PW\}, wanted \$\{secret:NAME\}/);
  });

  it('carries Redis and Valkey with references to their secrets alone, and reads them back (S4)', () => {
    const made = deployConfig(load(`${VAULT}plans: { a: { source: { type: redis, host: cache } }, b: { source: { type: valkey, host: cache, port: 6380, user: backup, password: "\${secret:cache#pw}", ssl-mode: verify-full } } }`), 'prod');
    const [a, b] = parseDeployedConfig(JSON.stringify(made)).plans;
    expect(a?.source).toEqual({ type: 'redis', host: 'cache', port: 6379, minimumSizeBytes: 1 });
    expect(b?.source).toEqual({ type: 'valkey', host: 'cache', port: 6380, user: 'backup', password: { kind: 'secrets-manager', name: 'cache', key: 'pw' }, sslMode: 'verify-full', minimumSizeBytes: 1 });
    expect(() => load(`${VAULT}plans: { a: { source: { type: redis, host: cache, password: "\${env:PW}" } } }`)).toThrow(/a\.source\.password is \$\{env:PW\}, wanted \$\{secret:NAME\}/);
  });

  it('carries buckets with references to their keys alone, and reads them back (S7)', () => {
    const made = deployConfig(load(`${VAULT}plans: { a: { source: { type: s3, bucket: shop-media } }, b: { source: { type: s3, bucket: theirs, prefix: "x y/", endpoint: "https://s3.example.com/", access-key-id: "\${secret:theirs#id}", secret-access-key: "\${ssm:/theirs/key}", tags: false, parallel: 4 } } }`), 'prod');
    const [a, b] = parseDeployedConfig(JSON.stringify(made)).plans;
    expect(a?.source).toEqual({ type: 's3', bucket: 'shop-media', prefix: '', include: [], exclude: [], pathStyle: false, tags: true, parallel: 16 });
    expect(b?.source).toEqual({
      type: 's3', bucket: 'theirs', prefix: 'x y/', include: [], exclude: [], endpoint: 'https://s3.example.com', pathStyle: true, tags: false, parallel: 4,
      credentials: { accessKeyId: { kind: 'secrets-manager', name: 'theirs', key: 'id' }, secretAccessKey: { kind: 'ssm', name: '/theirs/key' } },
    });
    expect(() => load(`${VAULT}plans: { a: { source: { type: s3, bucket: theirs, access-key-id: "\${env:ID}", secret-access-key: "\${env:KEY}" } } }`)).toThrow(/a\.source\.access-key-id is \$\{env:ID\}, wanted \$\{secret:NAME\}/);
    expect(() => load(`${VAULT}plans: { a: { source: { type: s3, bucket: theirs, ca-file: /etc/ca.pem } } }`)).toThrow(/a\.source\.ca-file is "\/etc\/ca\.pem", wanted an absolute path below one of the mounts/);
  });

  it('carries sets with their parts in the order of the file and references to their secrets alone, and reads them back (P4)', () => {
    const parts = 'db: { type: mariadb, host: db, user: u, password: "${secret:shop#pw}", database: shop }, a: { type: s3, bucket: shop-media }, out: { type: command, command: x, stdin-name: d }';
    const made = deployConfig(load(`${VAULT}plans: { shop: { source: { type: set, parts: { ${parts} }, quiesce: { command: [stop, it], timeout: 90s }, resume: go } } }`), 'prod');
    const [plan] = parseDeployedConfig(JSON.stringify(made)).plans;
    const source = parseDeployedPlan(JSON.stringify(plan)).source as Extract<DeployedPlan['source'], { type: 'set' }>;
    expect(source).toEqual(plan?.source);
    expect([source.parts.map(({ name, source: { type } }) => [name, type]), source.quiesce, source.resume]).toEqual([[['db', 'mariadb'], ['a', 's3'], ['out', 'command']], { command: ['stop', 'it'], timeoutMs: 90_000 }, { command: 'go', timeoutMs: 600_000 }]);
    expect(JSON.stringify(source.parts[0])).toContain('{"kind":"secrets-manager","name":"shop","key":"pw"}');
  });

  it('carries the commands around the runs of a plan, and reads them back', () => {
    const made = deployConfig(load(`${VAULT}plans: { a: { source: { type: command, command: x, stdin-name: d }, hooks: { before: b, on-failure: [c, d] } } }`), 'prod');
    const [plan] = parseDeployedConfig(JSON.stringify(made)).plans;
    expect(parseDeployedPlan(JSON.stringify(plan)).hooks).toEqual({ before: { command: 'b', timeoutMs: 600_000 }, onFailure: { command: ['c', 'd'], timeoutMs: 600_000 } });
  });

  it.each([
    ['the example', example],
    ['a small file', `${VAULT}${POLICIES}plans:\n${PLANS.b}${PLANS.a}`],
  ])('reads back from JSON as it was, %s', (_, text) => {
    const made = deployConfig(load(text), 'prod');
    expect(parseDeployedConfig(JSON.stringify(made))).toEqual(made);
    for (const plan of made.plans) expect(parseDeployedPlan(JSON.stringify(plan))).toEqual(plan);
  });

  it('leaves out vaults, plans and secrets of the local runtime, and whatever only a secret place knows (S8)', () => {
    const canary = 'canary-b7e1';
    const text = [
      'vaults:', '  v: { aws: {} }', `  here: { directory: /${canary}, passphrase: "\${env:${canary.replaceAll('-', '_')}}" }`, `  file: { directory: /v2, passphrase: "\${file:${canary}}" }`,
      'plans:', '  a: { vault: v, source: { type: postgres, host: h, database: d, user: u, password: "${secret:db#password}" } }', `  b: { vault: here, source: { type: postgres, host: ${canary}, database: d, user: u, password: "\${file:${canary}}" } }`,
      `notifications: { slack: "\${secret:${canary}}", email: [${canary}@example.com] }`,
    ].join('\n');
    const json = JSON.stringify(deployConfig(load(text), 'prod'));
    expect(json).not.toContain('canary');
    expect(json).toContain('"password":{"kind":"secrets-manager","name":"db","key":"password"}');
  });
});

describe('a deployed configuration that is not what `cdk deploy` wrote', () => {
  const deployed = deployConfig(load(example), 'prod');
  const [plan] = deployed.plans;

  it.each<[string, string, string]>([
    ['no JSON', '{', 'The plan of this run is not what `cdk deploy` writes: it is not JSON.'],
    ['nothing', 'null', 'The plan of this run is not what `cdk deploy` writes: the whole: Invalid input: expected object, received null.'],
    ['an unknown source', JSON.stringify({ ...plan, source: { type: 'oracle' } }), 'The plan of this run is not what `cdk deploy` writes: source.type: Invalid discriminator value. Expected \'files\' | \'sqlite\' | \'command\' | \'postgres\' | \'postgres-physical\' | \'mariadb\' | \'mysql\' | \'redis\' | \'valkey\' | \'elasticsearch\' | \'opensearch\' | \'kafka\' | \'s3\' | \'mongodb\' | \'configs\' | \'logs\' | \'set\'.'],
    ['a field that nobody wrote', JSON.stringify({ ...plan, extra: 1 }), 'The plan of this run is not what `cdk deploy` writes: the whole: Unrecognized key: "extra".'],
    ['a secret of the machine that deployed', JSON.stringify({ ...plan, source: { ...plan!.source, password: { kind: 'env', name: 'AWS_SECRET_ACCESS_KEY' } } }), 'The plan of this run is not what `cdk deploy` writes: source.password.kind: Invalid discriminator value. Expected \'ssm\' | \'secrets-manager\'.'],
    ['no plan id', JSON.stringify({ ...plan, planId: '../x' }), 'The plan of this run is not what `cdk deploy` writes: planId: wanted 32 hexadecimal digits.'],
  ])('is refused: %s', (_, order, message) => {
    expect(() => parseDeployedPlan(order)).toThrow(expect.objectContaining({ code: 'config-invalid', message }));
  });

  it('of a newer Holdfast is told apart', () => {
    expect(() => parseDeployedConfig(JSON.stringify({ ...deployed, version: 2 }))).toThrow(expect.objectContaining({ code: 'unsupported-version', message: 'The deployed configuration has version 2; this Holdfast reads version 1.' }));
  });
});
