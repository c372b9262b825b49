import { jsonSchema } from '../../lib/config/json-schema.ts';
import { loadConfig } from '../../lib/config/load-config.ts';
import { resolvePlans, resolveVaults } from '../../lib/config/resolve-plans.ts';
import { fetchSecret, parseSecretReference, resolveSecret, SECRET_REFERENCE, secretText } from '../../lib/config/secret-reference.ts';
import type { RemoteSecretReference } from '../../lib/config/secret-reference.ts';

const FILE = `
vaults:
  near: { directory: vault, key-file: ~/key }
  far: { directory: /mnt/vault, passphrase: "\${file:pass.txt}" }
policies:
  own: { frequency: { cron: "0 2 * * *", time-zone: Europe/Berlin }, retention: { days: 3, count: 5 }, compression: { level: 9 }, class: warm, warnings-are-good: false }
plans:
  tree: { source: { type: files, paths: [., /srv, ~/], exclude: ["*.tmp"] }, vault: near }
  app: { source: { type: sqlite, path: data/app.db }, vault: far, policy: database }
  dump:
    source: { type: command, command: [pg_dump, app], stdin-name: app.sql, end-marker: done, minimum-size: 1.5 KiB }
    vault: near
    policy: { based-on: own, retention: { count: 2 }, minimum-size: 10 kB, service-level: { rto-minutes: 60, rpo-minutes: 1500 } }
`;
const config = loadConfig(FILE, '/etc/holdfast/holdfast.yaml', { home: '/home/someone' });

describe('resolved plans (P2, P3)', () => {
  const [tree, app, dump] = resolvePlans(config);

  it('fill in every default and make paths absolute: relative to the file, ~ to the home directory', () => {
    expect(tree).toEqual({
      name: 'tree',
      vault: { kind: 'directory', name: 'near', directory: '/etc/holdfast/vault', key: { kind: 'key-file', path: '/home/someone/key' } },
      source: { type: 'files', paths: ['/etc/holdfast', '/srv', '/home/someone'], include: [], exclude: ['*.tmp'], oneFileSystem: false, followSymlinks: false, changeDetection: 'auto', xattrs: true },
      policy: { retention: {}, class: 'hot', encryption: 'aes-256-gcm', compression: { algorithm: 'zstd', level: 3 }, verification: 'none', warningsAreGood: true, minimumSizeBytes: 0, priority: 50 },
    });
  });

  it('take a whole PostgreSQL cluster for a source of its own kind (S2)', () => {
    const sourceOf = (fields: string) => resolvePlans(loadConfig(`vaults: { v: { directory: v, key-file: k } }\nplans: { p: { source: { type: postgres, host: h, user: u, ${fields} } } }`, '/h.yaml'))[0]?.source;
    expect(sourceOf('mode: physical')).toEqual({ type: 'postgres-physical', host: 'h', port: 5432, database: 'postgres', user: 'u', wal: 'fetch', checkpoint: 'fast', minimumSizeBytes: 1 });
    expect(sourceOf('mode: physical, wal: none, checkpoint: spread, port: 5433, minimum-size: 1 MiB')).toMatchObject({ wal: 'none', checkpoint: 'spread', port: 5433, minimumSizeBytes: 1 << 20 });
    expect(sourceOf('mode: logical, database: d')).toEqual(sourceOf('database: d'));
  });

  it('make the paths of recipients absolute, of vaults here and in a stack (K11)', () => {
    const { home } = config;
    const written = 'vaults: { a: { directory: v, key-file: k, recipients: [office.recipient, ~/b] }, b: { aws: {}, recipients: [c] } }';
    expect(resolveVaults(loadConfig(written, '/etc/holdfast/holdfast.yaml', { home: home! })).map(({ recipients }) => recipients)).toEqual([['/etc/holdfast/office.recipient', '/home/someone/b'], ['/etc/holdfast/c']]);
    expect(() => loadConfig(written, '/etc/holdfast/holdfast.yaml', {})).toThrow('vaults.a.recipients[1]');
  });

  it('take a ready-made policy by its name', () => {
    expect(app?.policy).toMatchObject({ frequency: 'daily', retention: { days: 30 }, class: 'hot', verification: 'full' });
    expect(app?.source).toEqual({ type: 'sqlite', path: '/etc/holdfast/data/app.db' });
  });

  it('put the fields of a plan on top of the policy it is based on, each field as a whole', () => {
    expect(dump?.policy).toMatchObject({
      frequency: { cron: '0 2 * * *', timeZone: 'Europe/Berlin' }, retention: { count: 2 }, compression: { algorithm: 'zstd', level: 9 },
      class: 'warm', warningsAreGood: false, minimumSizeBytes: 10_000, serviceLevel: { rtoMinutes: 60, rpoMinutes: 1500 },
    });
    expect(dump?.policy.retention).toEqual({ count: 2 });
    expect(dump?.source).toEqual({ type: 'command', command: ['pg_dump', 'app'], stdinName: 'app.sql', endMarker: 'done', minimumSizeBytes: 1536 });
  });

  it('have commands around their runs, with ten minutes for each that says nothing else', () => {
    const [only] = resolvePlans(loadConfig('vaults: { v: { directory: /v, key-file: /k } }\nplans: { p: { source: { type: sqlite, path: /x }, hooks: { before: "a | b", after: [c, d], on-failure: { command: [e], timeout: 90s } } } }', '/h.yaml'));
    expect(only?.hooks).toEqual({ before: { command: 'a | b', timeoutMs: 600_000 }, after: { command: ['c', 'd'], timeoutMs: 600_000 }, onFailure: { command: ['e'], timeoutMs: 90_000 } });
    expect(tree).not.toHaveProperty('hooks');
  });

  it.each([
    ['database', { frequency: 'daily', retention: { days: 30 }, class: 'hot', verification: 'full' }],
    ['media', { frequency: 'weekly', retention: { days: 90 }, class: 'warm', verification: 'none' }],
    ['configs', { frequency: 'daily', retention: { days: 365 }, class: 'cold', verification: 'full' }],
    ['logs', { frequency: 'daily', retention: { days: 7 }, class: 'hot', verification: 'none' }],
  ])('know the ready-made policy %s (P3)', (name, wanted) => {
    const [only] = resolvePlans(loadConfig(`vaults: { v: { directory: /v, key-file: /k } }\nplans: { p: { source: { type: sqlite, path: /x }, policy: ${name} } }`, '/h.yaml'));
    expect(only?.policy).toMatchObject({ ...wanted, encryption: 'aes-256-gcm', compression: { algorithm: 'zstd' } });
  });
});

describe('a secret in the configuration (S8)', () => {
  const [, far] = resolveVaults(config);
  const secret = far?.kind === 'directory' && far.key.kind === 'passphrase' ? far.key.secret : undefined;

  it('is only a reference until it is used, and then read from where the file says', () => {
    expect(secret).toEqual({ kind: 'file', name: '/etc/holdfast/pass.txt' });
    const places = { environment: { WORD: 'from env' }, readTextFile: (path: string) => `from ${path}\n` };
    expect(resolveSecret(secret!, places)).toBe('from /etc/holdfast/pass.txt');
    expect(resolveSecret({ kind: 'env', name: 'WORD' }, places)).toBe('from env');
  });

  it.each([
    ['a variable that is not set', { kind: 'env', name: 'NONE' }, 'The secret ${env:NONE} is not there: environment variable NONE is not set, wanted a value.'],
    ['an empty variable', { kind: 'env', name: 'EMPTY' }, 'The secret ${env:EMPTY} is not there: environment variable EMPTY is empty, wanted a value.'],
    ['a file that cannot be read', { kind: 'file', name: '/none' }, 'The secret ${file:/none} cannot be read: ENOENT, wanted a readable file.'],
  ] as const)('names %s and nothing else', (_, reference, message) => {
    const places = {
      environment: { EMPTY: '' },
      readTextFile: (): string => {
        throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
      },
    };
    expect(() => resolveSecret(reference, places)).toThrow(expect.objectContaining({ code: 'missing-key', message }));
  });
});

describe('a secret in AWS (S8)', () => {
  const nowhere = { environment: { WORD: 'local' }, readTextFile: () => 'text' };
  const reading = (text: string) => ({ ...nowhere, readRemote: async (_: RemoteSecretReference) => text });

  it.each([
    ['${secret:db}', { kind: 'secrets-manager', name: 'db' }],
    ['${secret:prod/db#password}', { kind: 'secrets-manager', name: 'prod/db', key: 'password' }],
    ['${secret:arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf#user name}', undefined],
    ['${secret:arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf#user}', { kind: 'secrets-manager', name: 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:db-AbCdEf', key: 'user' }],
    ['${ssm:/prod/db/password}', { kind: 'ssm', name: '/prod/db/password' }],
    ['${ssm:/prod#key}', undefined],
    ['${secret:}', undefined],
    ['${secret:a b}', undefined],
    ['${vault:db}', undefined],
    ['x${secret:db}', undefined],
  ])('is written as %s', (text, wanted) => {
    expect(SECRET_REFERENCE.test(text)).toBe(wanted !== undefined);
    if (wanted === undefined) return;
    expect(parseSecretReference(text)).toEqual(wanted);
    expect(secretText(parseSecretReference(text))).toBe(text);
  });

  it('is asked for once, whole or by its key; secrets of this machine come as before', async () => {
    expect(await fetchSecret({ kind: 'secrets-manager', name: 'db' }, reading('word'))).toBe('word');
    expect(await fetchSecret({ kind: 'secrets-manager', name: 'db', key: 'port' }, reading('{"port":5432}'))).toBe('5432');
    expect(await fetchSecret({ kind: 'ssm', name: '/a' }, reading('{"not":"opened"}'))).toBe('{"not":"opened"}');
    expect(await fetchSecret({ kind: 'env', name: 'WORD' }, nowhere)).toBe('local');
  });

  it.each<[string, RemoteSecretReference, string | undefined, string]>([
    ['nothing here asks AWS', { kind: 'ssm', name: '/a' }, undefined, 'The secret ${ssm:/a} lies in AWS, and nothing here asks AWS, wanted ${env:NAME} or ${file:path}.'],
    ['it is empty', { kind: 'secrets-manager', name: 'db' }, '', 'The secret ${secret:db} is empty, wanted a value.'],
    ['it is no map', { kind: 'secrets-manager', name: 'db', key: 'k' }, 'hunter2', 'The secret ${secret:db#k} is not there: its text is no JSON map, wanted a value.'],
    ['the map has no such key', { kind: 'secrets-manager', name: 'db', key: 'k' }, '{"other":"hunter2"}', 'The secret ${secret:db#k} is not there: its JSON map has no text under "k", wanted a value.'],
    ['the key holds a map', { kind: 'secrets-manager', name: 'db', key: 'k' }, '{"k":{"x":"hunter2"}}', 'The secret ${secret:db#k} is not there: its JSON map has no text under "k", wanted a value.'],
  ])('fails as missing-key when %s, and what was read is not shown', async (_, reference, text, message) => {
    const error = await fetchSecret(reference, text === undefined ? nowhere : reading(text)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'missing-key', message });
    expect(`${(error as Error).stack}${String((error as Error).cause)}`).not.toContain('hunter2');
  });
});

describe('the JSON Schema for editors (P1)', () => {
  it('is closed at every level that is not a map of names, and knows every key of the example', () => {
    const schema = jsonSchema() as { properties: Record<string, unknown>; $schema: string };
    expect(schema.$schema).toBe('https://json-schema.org/draft/2020-12/schema');
    const text = JSON.stringify(schema);
    for (const key of FILE.matchAll(/([a-z][a-z-]+):(?= )/g)) if (!['near', 'far', 'own', 'tree', 'app', 'dump'].includes(key[1]!)) expect(text).toContain(`"${key[1]}"`);
    expect(objects(schema).filter((node) => 'properties' in node && node.additionalProperties !== false)).toEqual([]);
  });
});

function objects(node: unknown): Record<string, unknown>[] {
  if (typeof node !== 'object' || node === null) return [];
  const here = Array.isArray(node) || (node as { type?: unknown }).type !== 'object' ? [] : [node as Record<string, unknown>];
  return [...here, ...Object.values(node).flatMap(objects)];
}
