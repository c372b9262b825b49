import { initialConfig } from '../../lib/config/initial-config.ts';
import { loadConfig } from '../../lib/config/load-config.ts';
import type { HoldfastError } from '../../lib/model/errors.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { refusal } from './refusal.ts';

const VAULT = 'vaults:\n  main: { directory: /vault, key-file: /key }\n';
const plan = (fields: string): string => `${VAULT}plans:\n  db: ${fields}\n`;
const policy = (fields: string): string => plan(`{ source: { type: sqlite, path: a.db }, policy: ${fields} }`);

const DEEP = 'not valid YAML: lists and maps lie in one another more than 64 deep';

/** Text of the file, and every line of the message without the name of the file. */
const REFUSED: readonly (readonly [what: string, text: string, ...lines: string[]])[] = [
  ['a mistyped key of a source', `${VAULT}plans:\n  db:\n    source:\n      type: files\n      paths: [/a]\n      pathss: [/b]\n`,
    '8: plans.db.source.pathss is not a known key, did you mean "paths"?'],
  ['a key that resembles nothing', `${VAULT}colour: red\n`, '3: colour is not a known key, wanted one of vaults, policies, plans, networks, restore-targets, notifications'],
  ['a key that is promised for later', `${VAULT}monitors: {}\n`, '3: monitors is refused: monitors are not there yet'],
  ['an empty file', '', '1: vaults is missing, wanted a map from names to vaults'],
  ['a list instead of a map', '- a\n', '1: the file is a list of 1, wanted a map with "vaults" and "plans"'],
  ['no vault', 'vaults: {}\n', '1: vaults is empty, wanted at least one vault'],
  ['a vault without a key', 'vaults:\n  main:\n    directory: /v\n', '2: vaults.main is a map, wanted exactly one of key-file, passphrase-file, passphrase'],
  ['a vault with two keys', 'vaults:\n  main:\n    directory: /v\n    key-file: /k\n    passphrase-file: /p\n', '2: vaults.main is a map, wanted exactly one of key-file, passphrase-file, passphrase'],
  ['a path of the wrong type', 'vaults:\n  main:\n    directory: 5\n    key-file: /k\n', '3: vaults.main.directory is 5, wanted a path'],
  ['a name with a space', 'vaults:\n  my vault: { directory: /v, key-file: /k }\n',
    '2: vaults["my vault"] is not a good name, wanted a name of letters, digits, ".", "_" and "-", at most 63, beginning with a letter or digit'],
  ['a plan without a source', plan('{}'), '4: plans.db.source is missing, wanted a source: a map with "type" (files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3, kafka, mongodb, configs, logs, set) and its fields'],
  ['a source left empty', `${VAULT}plans:\n  db:\n    source:\n`, '5: plans.db.source is empty, wanted a source: a map with "type" (files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3, kafka, mongodb, configs, logs, set) and its fields'],
  ['a source without a type', plan('{ source: { paths: [a] } }'), '4: plans.db.source.type is missing, wanted one of files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3, kafka, mongodb, configs, logs, set'],
  ['a bucket that is its own vault', 'vaults: { v: { s3: { bucket: shop, prefix: holdfast }, key-file: k } }\nplans:\n  db: { source: { type: s3, bucket: shop } }\n', '3: plans.db.source has objects of its own vault in it (s3://shop/holdfast/), wanted another bucket or a prefix beside the vault'],
  ['a bucket above its own vault', 'vaults: { v: { s3: { bucket: shop, prefix: holdfast }, key-file: k } }\nplans:\n  db: { source: { type: s3, bucket: shop, prefix: hold } }\n', '3: plans.db.source has objects of its own vault in it (s3://shop/holdfast/), wanted another bucket or a prefix beside the vault'],
  ['half of the credentials of a bucket', plan('{ source: { type: s3, bucket: shop, access-key-id: "${env:A}" } }'), '4: plans.db.source.access-key-id is "${env:A}", wanted both `access-key-id` and `secret-access-key`, or neither'],
  ['a source of an unknown type', plan('{ source: { type: oracle } }'), '4: plans.db.source.type is "oracle", wanted one of files, sqlite, command, postgres, mariadb, mysql, redis, valkey, elasticsearch, opensearch, s3, kafka, mongodb, configs, logs, set'],
  ['a PostgreSQL source of an unknown mode', plan('{ source: { type: postgres, mode: fast, host: h, database: d, user: u } }'), '4: plans.db.source.mode is "fast", wanted one of logical, physical'],
  ['excluded tables of a whole cluster', plan('{ source: { type: postgres, mode: physical, host: h, user: u, exclude-tables: [t] } }'), '4: plans.db.source.exclude-tables is not a known key, wanted one of type, mode, host, port, database, user, password, ssl-mode, ssl-root-cert, wal, wal-freshness, checkpoint, minimum-size'],
  ['a path that is a number', plan('{ source: { type: files, paths: [a, 5] } }'), '4: plans.db.source.paths[1] is 5, wanted a path'],
  ['no path', plan('{ source: { type: files, paths: [] } }'), '4: plans.db.source.paths is an empty list, wanted at least one path'],
  ['an unknown change detection', plan('{ source: { type: files, paths: [a], change-detection: inode } }'),
    '4: plans.db.source.change-detection is "inode", wanted one of auto, ctime+inode, ctime, mtime, content'],
  ['an empty command', plan('{ source: { type: command, command: [], stdin-name: a } }'),
    '4: plans.db.source.command is an empty list, wanted a command line for the shell, or a list of a program and its arguments'],
  ['a name with a slash for an output', plan('{ source: { type: command, command: x, stdin-name: ../a } }'), '4: plans.db.source.stdin-name is "../a", wanted a file name without "/"'],
  ['neither one database nor several', plan('{ source: { type: mariadb, host: h, user: u } }'), '4: plans.db.source.database is missing, wanted exactly one of "database" and "databases"'],
  ['a word for databases that is not all', plan('{ source: { type: mysql, host: h, user: u, databases: every } }'), '4: plans.db.source.databases is "every", wanted a list of names of databases, or all'],
  ['a user of Redis without a password', plan('{ source: { type: redis, host: h, user: u } }'), '4: plans.db.source.password is missing, wanted a reference to the password of `user`'],
  ['a password in the file of a Redis source', plan('{ source: { type: valkey, host: h, password: secret } }'), '4: plans.db.source.password is (not shown), wanted a reference to a secret: ${env:NAME}, ${file:path}, ${secret:NAME}, ${secret:NAME#key} or ${ssm:/path}, never the secret itself'],
  ['a password in the file of a MariaDB source', plan('{ source: { type: mariadb, host: h, database: d, user: u, password: secret } }'), '4: plans.db.source.password is (not shown), wanted a reference to a secret: ${env:NAME}, ${file:path}, ${secret:NAME}, ${secret:NAME#key} or ${ssm:/path}, never the secret itself'],
  ['an empty command around a run', plan('{ source: { type: sqlite, path: a.db }, hooks: { before: "" } }'),
    '4: plans.db.hooks.before is "", wanted a command line for the shell, or a list of a program and its arguments'],
  ['a mistyped command around a run', plan('{ source: { type: sqlite, path: a.db }, hooks: { befor: x } }'), '4: plans.db.hooks.befor is not a known key, did you mean "before"?'],
  ['a command around a run without a command', plan('{ source: { type: sqlite, path: a.db }, hooks: { after: { timeout: 5m } } }'),
    '4: plans.db.hooks.after.command is missing, wanted a command line for the shell, or a list of a program and its arguments'],
  ['a time limit that is none', plan('{ source: { type: sqlite, path: a.db }, hooks: { on-failure: { command: x, timeout: 5 } } }'), '4: plans.db.hooks.on-failure.timeout is 5, wanted a duration such as "90s", "20m", "2h" or "7d"'],
  ['a time limit of days', plan('{ source: { type: sqlite, path: a.db }, hooks: { on-failure: { command: x, timeout: 25h } } }'), '4: plans.db.hooks.on-failure.timeout is "25h", wanted a duration up to 24 hours, such as "90s", "20m" or "2h"'],
  ['a postgres source without a database', plan('{ source: { type: postgres, host: h, user: u } }'), '4: plans.db.source.database is missing, wanted the name of a database, or `databases`'],
  ['one database and several', plan('{ source: { type: postgres, host: h, user: u, database: a, databases: [b] } }'), '4: plans.db.source.database is "a", wanted either `database` or a list of `databases`'],
  ['passwords of roles that are not kept', plan('{ source: { type: postgres, host: h, user: u, database: a, role-passwords: true } }'), '4: plans.db.source.role-passwords is true, wanted `globals: true` beside it'],
  ['too many jobs', plan('{ source: { type: postgres, host: h, user: u, database: a, jobs: 65 } }'), '4: plans.db.source.jobs is 65, wanted a whole number from 1 to 64'],
  ['an unknown policy', policy('databse'), '4: plans.db.policy is "databse", wanted one of database, media, configs, logs (did you mean "database"?)'],
  ['an unknown policy to base on', policy('{ based-on: nothing }'), '4: plans.db.policy.based-on is "nothing", wanted one of database, media, configs, logs'],
  ['a policy of the wrong type', policy('5'), '4: plans.db.policy is 5, wanted the name of a policy or a map of policy fields'],
  ['a mistyped key deep inside a policy', policy('{ retention: { dais: 3 } }'), '4: plans.db.policy.retention.dais is not a known key, did you mean "days"?'],
  ['words where a number belongs', policy('{ retention: { days: thirty } }'), '4: plans.db.policy.retention.days is "thirty", wanted a whole number from 1 to 100000'],
  ['an unknown frequency', policy('{ frequency: sometimes }'), '4: plans.db.policy.frequency is "sometimes", wanted hourly, daily, weekly, monthly, or a map with "cron" and "time-zone"'],
  ['a bad cron line in a bad zone', policy('{ frequency: { cron: at noon, time-zone: Mars } }'),
    '4: plans.db.policy.frequency.cron is "at noon", wanted five cron fields: minute hour day month weekday',
    '4: plans.db.policy.frequency.time-zone is "Mars", wanted an IANA time zone such as "Europe/Berlin"'],
  ['the archive class', policy('{ class: archive }'), '4: plans.db.policy.class is "archive", wanted hot, warm or cold: archive is a destination of its own, not a class'],
  ['lz4', policy('{ compression: { algorithm: lz4 } }'), '4: plans.db.policy.compression.algorithm is "lz4", wanted zstd, gzip or none: lz4 is not there yet'],
  ['a level that gzip does not have', policy('{ compression: { algorithm: gzip, level: 19 } }'), '4: plans.db.policy.compression.level is 19, wanted a whole number from 1 to 9 (gzip)'],
  ['a weak cipher', policy('{ encryption: des }'), '4: plans.db.policy.encryption is "des", wanted one of aes-256-gcm, chacha20-poly1305'],
  ['a size in words', policy('{ minimum-size: ten }'), '4: plans.db.policy.minimum-size is "ten", wanted a number of bytes or a size such as "500 kB", "10 MiB", "2 GB"'],
  ['a schedule that cannot meet its RPO (P5)', policy('{ based-on: database, service-level: high }'),
    '4: plans.db.policy runs daily and can lose 1440 minutes, wanted at most 15 (RPO of its service level)'],
  ['a service level without a schedule (P5)', policy('{ service-level: low }'),
    '4: plans.db.policy has a service level and no frequency, wanted one that runs at least every 240 minutes'],
  ['a policy that takes a ready-made name', `${VAULT}policies:\n  media: {}\n`, '4: policies.media is the name of a ready-made policy, wanted another name'],
  ['a vault that is not there', plan('{ source: { type: sqlite, path: a.db }, vault: mian }'), '4: plans.db.vault is "mian", wanted one of main (did you mean "main"?)'],
  ['a plan that leaves open which vault', 'vaults:\n  a: { directory: /a, key-file: /k }\n  b: { directory: /b, key-file: /k }\nplans:\n  db: { source: { type: sqlite, path: x } }\n',
    '5: plans.db.vault is missing, wanted one of a, b'],
  ['a home directory that nobody told', plan('{ source: { type: sqlite, path: ~/a.db } }'),
    '4: plans.db.source.path is "~/a.db", wanted an absolute path: the home directory is not known here'],
  ['a key written twice', `${VAULT}vaults: {}\n`, '3: not valid YAML: Map keys must be unique'],
  ['a bracket left open', 'vaults: [', '1: not valid YAML: Flow sequence in block collection must be sufficiently indented and end with a ]'],
  ['an unknown tag', 'vaults: !secret x\n', '1: not valid YAML: Unresolved tag'],
  ['an alias of nothing', 'vaults:\n  main: *nothing\n', '2: not valid YAML: a value that begins with * refers to an anchor (&) above it, and there is none; quote it if it is text'],
  ['aliases that explode', `${Array.from('bcdef', (name, at) => `${name}: &${name} [${`*${'abcde'[at]},`.repeat(10)}]\n`).join('').replace(/^/, 'a: &a [x,x,x,x,x,x,x,x,x,x]\n')}`, '1: not valid YAML: aliases (*) repeat each other too often'],
  ['100,000 brackets', `${VAULT}x: ${'['.repeat(100_000)}`, `3: ${DEEP}`],
  ['100,000 dashes', `${VAULT}x:\n  ${'- '.repeat(100_000)}x\n`, `4: ${DEEP}`],
  ['50,000 maps in one line', `${VAULT}x: ${'{a: '.repeat(50_000)}`, `3: ${DEEP}`],
  ['maps in maps, line by line', Array.from({ length: 100 }, (_, depth) => `${' '.repeat(depth)}a:\n`).join(''), `66: ${DEEP}`],
  ['two mistakes at once, in the order of the file', `${VAULT}plan:\n  a: 1\npolicies:\n  p: { class: tepid }\n`,
    '3: plan is not a known key, did you mean "plans"?', '6: policies.p.class is "tepid", wanted one of hot, warm, cold'],
];

describe('holdfast.yaml (P1)', () => {
  it.each(REFUSED)('refuses %s', (_, text, ...lines) => {
    const error = refusal(text);
    expect(isHoldfastError(error, 'config-invalid')).toBe(true);
    expect((error as Error).message).toBe(lines.map((line) => `/etc/holdfast.yaml:${line}`).join('\n'));
  });

  it('hands programs the same problems as data', () => {
    const error = refusal(`${VAULT}plan: 1\n`);
    expect(error).toMatchObject({ data: { problems: [{ path: ['plan'], line: 3 }] }, nextStep: expect.stringContaining('/etc/holdfast.yaml') });
  });

  it.each([
    ['in its place', 'vaults:\n  main:\n    directory: /v\n    passphrase: hunter2\n'],
    ['under a mistyped key', 'vaults:\n  main:\n    directory: /v\n    pasphrase: hunter2\n'],
    ['in a list', 'vaults:\n  main:\n    directory: /v\n    passphrase: [hunter2]\n'],
    ['in a map', 'vaults:\n  main:\n    directory: /v\n    passphrase: { x: hunter2 }\n'],
    ['in a file that is no YAML', 'vaults:\n  main:\n    passphrase: "hunter2" hunter2\n'],
    ['with a character that means a tag', 'vaults:\n  main:\n    passphrase: !hunter2\n'],
    ['with a character that means an alias', 'vaults:\n  main:\n    passphrase: *hunter2\n'],
    ['with a character that means a block', 'vaults:\n  main:\n    passphrase: |hunter2\n      x\n'],
  ])('never repeats a secret that was written %s (S8)', (_, text) => {
    const error = refusal(text);
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('hunter2');
  });

  it('may have a policy that two hundred plans share by an alias', () => {
    const plans = Array.from({ length: 200 }, (_, index) => `  p${index}: { source: { type: sqlite, path: a.db }, policy: *shared }\n`).join('');
    const text = `${VAULT}policies:\n  shared: &shared { frequency: daily }\nplans:\n${plans}`;
    expect(Object.keys(loadConfig(text, '/etc/holdfast.yaml').fields.plans)).toHaveLength(200);
  });

  it('that is something else altogether is refused in the first twenty lines, however many it has (P1)', () => {
    const error = refusal(`- ${']\n'.repeat(400)}`) as HoldfastError;
    expect(error.code).toBe('config-invalid');
    expect(error.message.split('\n')).toHaveLength(21);
    expect(error.message.split('\n').at(-1)).toMatch(/and \d+ more problems$/);
    expect((error.data['problems'] as unknown[]).length).toBeGreaterThan(300);
  });

  it('is accepted as `holdfast init` writes it, also with paths that need quoting', () => {
    expect(Object.keys(loadConfig(initialConfig(), '/etc/holdfast.yaml', { home: '/home/someone' }).fields.plans)).toEqual(['folder']);
    const odd = initialConfig({ vaultDirectory: '/my: vault #1/"x"', key: { kind: 'passphrase-file', path: "/it's" } });
    expect(loadConfig(odd, '/etc/holdfast.yaml').fields.vaults).toEqual({ main: { directory: '/my: vault #1/"x"', 'passphrase-file': "/it's" } });
  });

  it('is accepted with every commented part of the initial file switched on', () => {
    const text = initialConfig().replace(/^( *)# ( *(?:[a-z-]+:.*|retention.*))$/gm, '$1$2').replace(/^ *passphrase:.*\n/m, '');
    const { plans, policies } = loadConfig(text, '/etc/holdfast.yaml', { home: '/home/someone' }).fields;
    expect([Object.keys(plans), Object.keys(policies)]).toEqual([['folder', 'database', 'dump'], ['careful']]);
  });
});
