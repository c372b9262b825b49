import { isHoldfastError } from '../../lib/model/errors.ts';
import { refusal, refusalLines } from './refusal.ts';

const AWS = 'vaults:\n  main: { aws: {} }\n';
const SQLITE = 'source: { type: sqlite, path: /mnt/a.db }, mounts: [{ path: /mnt, file-system: fs-0123456789abcdef0 }]';
const vault = (fields: string): string => `vaults:\n  main: { ${fields} }\n`;
const aws = (fields: string): string => vault(`aws: { ${fields} }`);
const plan = (fields: string): string => `${AWS}plans:\n  db: { ${fields} }\n`;
const postgres = (fields: string): string => plan(`source: { type: postgres, host: h, database: d, user: u, ${fields} }`);
const PHYSICAL = 'source: { type: postgres, mode: physical, host: h, user: u$ }';
const local = (fields: string): string => `vaults:\n  main: { directory: /v, key-file: /k }\nplans:\n  db: { source: { type: sqlite, path: /a.db }, ${fields} }\n`;
const LOCAL = 'vaults:\n  main: { directory: /v, key-file: /k }\n';
const target = (fields: string): string => `${AWS}restore-targets:\n  copy: { ${fields} }\n`;
const network = (fields: string): string => `${AWS}networks:\n  inner: { ${fields} }\n`;
const notify = (fields: string): string => `${AWS}notifications: { ${fields} }\n`;

const BUCKET = 'wanted the name of a bucket: 3 to 63 lower-case letters, digits, "." and "-"';
const KEY_ARN = 'wanted the ARN of a KMS key: arn:aws:kms:REGION:ACCOUNT:key/ID';
const TEMPLATE = 'wanted ${secret:NAME} or ${ssm:/path}: variables and files of this machine are not there in AWS, and what they hold would land in the template';
const SECRET = 'wanted a reference to a secret: ${env:NAME}, ${file:path}, ${secret:NAME}, ${secret:NAME#key} or ${ssm:/path}, never the secret itself';
const NOT_LOCAL = 'the aws runtime alone carries it out, and the vault of this plan is not of kind aws';
const NO_STACK = 'the aws runtime alone knows them, and no vault of this file is of kind aws';
const ABSOLUTE = 'wanted an absolute path without ".", ".." or an end slash';
const LEAF = 'wanted a list of values, or a map of them';

const REFUSED: readonly (readonly [what: string, text: string, ...lines: string[]])[] = [
  // Vaults.
  ['a vault that is nowhere', vault('key-file: /k'), '2: vaults.main is a map, wanted exactly one of directory, s3, aws'],
  ['a vault in two places', vault('directory: /v, s3: { bucket: abc }, key-file: /k'), '2: vaults.main is a map, wanted exactly one of directory, s3, aws'],
  ['a KMS key for a directory', vault('directory: /v, kms-key: alias/v'), '2: vaults.main.kms-key is refused: a KMS key wraps the keys of a vault in S3; use key-file, passphrase-file or passphrase'],
  ['a vault in S3 without a key', vault('s3: { bucket: abc }'), '2: vaults.main is a map, wanted exactly one of key-file, passphrase-file, passphrase, kms-key'],
  ['a vault in S3 with two keys', vault('s3: { bucket: abc }, key-file: /k, kms-key: alias/v'), '2: vaults.main is a map, wanted exactly one of key-file, passphrase-file, passphrase, kms-key'],
  ['S3 without a map', vault('s3: bucket, key-file: /k'), '2: vaults.main.s3 is "bucket", wanted a map with "bucket" and, where needed, prefix, endpoint, region, path-style, ca-file'],
  ['no bucket', vault('s3: { region: eu-central-1 }, key-file: /k'), `2: vaults.main.s3.bucket is missing, ${BUCKET}`],
  ['a bucket in capitals', vault('s3: { bucket: Backups }, key-file: /k'), `2: vaults.main.s3.bucket is "Backups", ${BUCKET}`],
  ['a prefix with a slash at its end', vault('s3: { bucket: abc, prefix: a/ }, key-file: /k'), '2: vaults.main.s3.prefix is "a/", wanted a prefix such as "backups/web", with no slash at either end'],
  ['an endpoint with a password', vault('s3: { bucket: abc, endpoint: "https://me:word@s3.example.com" }, key-file: /k'), '2: vaults.main.s3.endpoint is (not shown), wanted an address without path, such as "https://s3.example.com:9000"'],
  ['a KMS key that is none', vault('s3: { bucket: abc }, kms-key: my-key'), '2: vaults.main.kms-key is "my-key", wanted the ARN of a KMS key or alias, or "alias/NAME"'],
  ['a passphrase in AWS', vault('s3: { bucket: abc }, passphrase: "${secret:words}"'), '2: vaults.main.passphrase is refused: a vault is opened before AWS is asked for anything, wanted ${env:NAME} or ${file:path}'],
  ['a key for a vault of the stack', vault('aws: {}, key-file: /k'), '2: vaults.main.key-file is refused: the stack wraps the keys of this vault with its own KMS key, or with aws.existing-key'],
  ['a KMS key beside a vault of the stack', vault('aws: {}, kms-key: alias/v'), '2: vaults.main.kms-key is refused: the stack wraps the keys of this vault with its own KMS key, or with aws.existing-key'],
  ['trusted writers of a stack', vault(`aws: {}, trusted-writers: [${'a'.repeat(32)}]`), '2: vaults.main.trusted-writers is refused: all plans of a stack are one writer, and its role reads no packs of others'],
  ['a coverage clock of a stack (V2)', vault('aws: {}, coverage: { within-days: 30 }'), '2: vaults.main.coverage is refused: a stack reads new backups back and runs no coverage clock: run `holdfast verify --aws STACK --within DAYS` from a schedule of your own'],
  ['aws left empty', 'vaults:\n  main:\n    aws:\n', '3: vaults.main.aws is empty, wanted a map with existing-bucket, existing-key, object-lock, tiers, max-concurrent-runs; {} takes the defaults'],
  ['a mistyped key of aws', aws('exisiting-bucket: abc'), '2: vaults.main.aws.exisiting-bucket is not a known key, did you mean "existing-bucket"?'],
  ['an alias as existing key', aws('existing-key: alias/v'), `2: vaults.main.aws.existing-key is "alias/v", ${KEY_ARN}`],
  ['an unknown lock', aws('object-lock: { mode: strict }'), '2: vaults.main.aws.object-lock.mode is "strict", wanted one of governance, compliance, none'],
  ['a lock of no days', aws('object-lock: { days: 0 }'), '2: vaults.main.aws.object-lock.days is 0, wanted a whole number from 1 to 36500'],
  ['a lock for compliance that nobody confirmed (K7)', aws('object-lock: { mode: compliance, days: 365 }'), '2: vaults.main.aws.object-lock.confirm-compliance is missing, wanted "main": with mode compliance nobody, not the owner of the account either, deletes or shortens anything for 365 days'],
  ['a lock for compliance of another vault (K7)', aws('object-lock: { mode: compliance, confirm-compliance: other }'), '2: vaults.main.aws.object-lock.confirm-compliance is "other", wanted "main": with mode compliance nobody, not the owner of the account either, deletes or shortens anything for 30 days'],
  ['a confirmation of nothing', aws('object-lock: { confirm-compliance: main }'), '2: vaults.main.aws.object-lock.confirm-compliance is refused: it belongs to mode compliance, and the mode is governance'],
  ['days of no lock', aws('object-lock: { mode: none, days: 3 }'), '2: vaults.main.aws.object-lock.days is refused: with mode none nothing is locked'],
  ['a lock of a bucket that is brought', aws('existing-bucket: abc, object-lock: { days: 3 }'), '2: vaults.main.aws.object-lock is refused: a bucket that is brought keeps the lock that its owner set'],
  ['tiers of a bucket that is brought', aws('existing-bucket: abc, tiers: { warm-after-days: 40 }'), '2: vaults.main.aws.tiers is refused: a bucket that is brought keeps the lifecycle rules that its owner set'],
  ['Standard-IA before S3 allows it (K4)', aws('tiers: { warm-after-days: 29 }'), '2: vaults.main.aws.tiers.warm-after-days is 29, wanted a whole number from 30 to 36500'],
  ['no run at all', aws('max-concurrent-runs: 0'), '2: vaults.main.aws.max-concurrent-runs is 0, wanted a whole number from 1 to 100'],
  // PostgreSQL.
  ['PostgreSQL without a host', plan('source: { type: postgres, database: d, user: u }'), '4: plans.db.source.host is missing, wanted a host name'],
  ['WAL that is received of a dump', plan('source: { type: postgres, host: h, database: d, user: u }, wal-receiver: {}'), '4: plans.db.wal-receiver is refused: it receives the WAL of a source with `type: postgres` and `mode: physical`, and this plan has another'],
  ['WAL that nobody brings into the vault of a stack', plan(PHYSICAL.replace('$', ', wal-freshness: 15m')), '4: plans.db.source.wal-freshness is refused: without `wal-receiver` beside `source` nothing brings WAL into the vault of a stack'],
  ['WAL that is looked at too seldom', plan(`${PHYSICAL.replace('$', ', wal-freshness: 15m')}, wal-receiver: { partial-every: 6m }`), '4: plans.db.wal-receiver.partial-every is "360s", wanted a third of wal-freshness at most, 300s: it takes two looks to know what is kept'],
  ['WAL that is late by the day', plan(PHYSICAL.replace('$', ', wal-freshness: 25h')), '4: plans.db.source.wal-freshness is "25h", wanted a duration from 3m to 24h, such as "3m"'],
  ['a slot that PostgreSQL does not name so', plan(`${PHYSICAL.replace('$', '')}, wal-receiver: { slot: My-Slot }`), '4: plans.db.wal-receiver.slot is "My-Slot", wanted a name of a replication slot: 1 to 63 of the characters a-z, 0-9 and _'],
  ['a receiver of a size that Fargate has not', plan(`${PHYSICAL.replace('$', '')}, wal-receiver: { cpu: 256, memory: 4 GiB }`), '4: plans.db.wal-receiver.memory is "4 GiB", wanted one of 512 MiB, 1 GiB, 2 GiB (what Fargate has for 256 CPU units)'],
  ['a receiver of the machine', local('wal-receiver: {}'), `4: plans.db.wal-receiver is refused: ${NOT_LOCAL}`],
  ['an impossible port', postgres('port: 70000'), '4: plans.db.source.port is 70000, wanted a whole number from 1 to 65535'],
  ['a user that looks like a reference', plan('source: { type: postgres, host: h, database: d, user: "${secrets:x}" }'), '4: plans.db.source.user is "${secrets:x}", wanted the name of a user, or a reference to it'],
  ['a password in the file (S8)', postgres('password: hunter2'), `4: plans.db.source.password is (not shown), ${SECRET}`],
  ['a password of this machine for a task', postgres('password: "${env:PGPASSWORD}"'), `4: plans.db.source.password is \${env:PGPASSWORD}, ${TEMPLATE}`],
  ['a password file of this machine for a task', postgres('password: "${file:pw.txt}"'), `4: plans.db.source.password is \${file:pw.txt}, ${TEMPLATE}`],
  ['a user of this machine for a task', plan('source: { type: postgres, host: h, database: d, user: "${env:PGUSER}" }'), `4: plans.db.source.user is \${env:PGUSER}, ${TEMPLATE}`],
  ['an unknown ssl mode', postgres('ssl-mode: on'), '4: plans.db.source.ssl-mode is "on", wanted one of disable, allow, prefer, require, verify-ca, verify-full'],
  ['a certificate that the task does not have', postgres('ssl-root-cert: /etc/ssl/ca.pem'), '4: plans.db.source.ssl-root-cert is "/etc/ssl/ca.pem", wanted an absolute path below one of the mounts, and there is no mount'],
  // Plans of a stack.
  ['files without a mount', plan('source: { type: files, paths: [/srv] }'), '4: plans.db.source.paths[0] is "/srv", wanted an absolute path below one of the mounts, and there is no mount'],
  ['files beside the mounts', plan('source: { type: files, paths: [/mnt/a, /mnt2] }, mounts: [{ path: /mnt, file-system: fs-01234567 }]'), '4: plans.db.source.paths[1] is "/mnt2", wanted an absolute path below one of the mounts: /mnt'],
  ['a relative path in a task', plan('source: { type: sqlite, path: a.db }, mounts: [{ path: /mnt, file-system: fs-01234567 }]'), '4: plans.db.source.path is "a.db", wanted an absolute path below one of the mounts: /mnt'],
  ['a path that climbs out of its mount', plan('source: { type: sqlite, path: /mnt/../etc/a.db }, mounts: [{ path: /mnt, file-system: fs-01234567 }]'), '4: plans.db.source.path is "/mnt/../etc/a.db", wanted an absolute path below one of the mounts: /mnt'],
  ['a mount at a relative path', plan(SQLITE.replace('path: /mnt,', 'path: mnt,')), `4: plans.db.mounts[0].path is "mnt", ${ABSOLUTE}`],
  ['a mount at the root', plan(SQLITE.replace('path: /mnt,', 'path: /,')), `4: plans.db.mounts[0].path is "/", ${ABSOLUTE}`],
  ['a mount of no file system', plan(SQLITE.replace('fs-0123456789abcdef0', 'data')), '4: plans.db.mounts[0].file-system is "data", wanted the id of an EFS file system: fs-...'],
  ['a mount inside another', plan(SQLITE.replace('}]', '}, { path: /mnt/in, file-system: fs-01234567 }]')), '4: plans.db.mounts[1].path is "/mnt/in", wanted a path that is neither that of another mount (/mnt) nor above or below it'],
  ['an unknown network', plan(`${SQLITE}, network: innner`), '4: plans.db.network is "innner", wanted one of default'],
  ['CPU that Fargate does not have', plan(`${SQLITE}, task: { cpu: 300 }`), '4: plans.db.task.cpu is 300, wanted one of 256, 512, 1024, 2048, 4096, 8192, 16384 (1024 is one virtual CPU)'],
  ['memory that this CPU does not have', plan(`${SQLITE}, task: { cpu: 256, memory: 4 GiB }`), '4: plans.db.task.memory is "4 GiB", wanted one of 512 MiB, 1 GiB, 2 GiB (what Fargate has for 256 CPU units)'],
  ['memory that the default CPU does not have', plan(`${SQLITE}, task: { memory: 1 GiB }`), '4: plans.db.task.memory is "1 GiB", wanted one of 2 GiB, 3 GiB, 4 GiB, 5 GiB, 6 GiB, 7 GiB, 8 GiB (what Fargate has for 1024 CPU units)'],
  ['more disk than a task gets', plan(`${SQLITE}, task: { disk: 200 GiB }`), '4: plans.db.task.disk is "200 GiB", wanted a size from 21 GiB to 180 GiB'],
  ['less disk than can be asked for', plan(`${SQLITE}, task: { disk: 20 GiB }`), '4: plans.db.task.disk is "20 GiB", wanted a size from 21 GiB to 180 GiB'],
  ['freshness of no time', plan(`${SQLITE}, freshness-hours: 0`), '4: plans.db.freshness-hours is 0, wanted a whole number from 1 to 8784'],
  ['a run of more than 30 days', plan(`${SQLITE}, max-duration-minutes: 43201`), '4: plans.db.max-duration-minutes is 43201, wanted a whole number from 1 to 43200'],
  ['a start window of no time', plan(`${SQLITE}, start-window-minutes: 0`), '4: plans.db.start-window-minutes is 0, wanted a whole number from 1 to 10080'],
  ['a mistyped field of a plan', plan(`${SQLITE}, freshnes-hours: 3`), '4: plans.db.freshnes-hours is not a known key, did you mean "freshness-hours"?'],
  ['a spread of no time', plan(`${SQLITE}, policy: { frequency: { cron: "0 3 * * *", spread-minutes: 0 } }`), '4: plans.db.policy.frequency.spread-minutes is 0, wanted a whole number from 1 to 720'],
  ['plans whose names AWS cannot tell apart', `${AWS}plans:\n  a.b: { ${SQLITE} }\n  a_b: { ${SQLITE} }\n`, '5: plans.a_b and plans["a.b"] differ by "." and "_" alone, wanted names that stay apart in AWS, where both are "_"'],
  // Events (P7).
  ['an event without a pattern', plan(`${SQLITE}, events: [{ collapse-minutes: 5 }]`), '4: plans.db.events[0].pattern is missing, wanted an event pattern of EventBridge: a map'],
  ['a pattern that matches every event', plan(`${SQLITE}, events: [{ pattern: {} }]`), '4: plans.db.events[0].pattern is a map, wanted at least one of source, detail-type, detail: an empty pattern would match every event'],
  ['a pattern with a word where a list belongs', plan(`${SQLITE}, events: [{ pattern: { source: aws.s3 } }]`), `4: plans.db.events[0].pattern.source is "aws.s3", ${LEAF}`],
  ['a pattern that matches nothing deep inside', plan(`${SQLITE}, events: [{ pattern: { detail: { bucket: { name: [] } } } }]`), `4: plans.db.events[0].pattern.detail.bucket.name is an empty list, ${LEAF}`],
  ['a pattern of a key that events do not have', plan(`${SQLITE}, events: [{ pattern: { sources: [aws.s3] } }]`), '4: plans.db.events[0].pattern.sources is a list of 1, wanted one of the keys of an event: source, detail-type, detail, resources, account, region, id, time, version, $or'],
  ['a burst of more than a day', plan(`${SQLITE}, events: [{ pattern: { source: [a] }, collapse-minutes: 1441 }]`), '4: plans.db.events[0].collapse-minutes is 1441, wanted a whole number from 1 to 1440'],
  // Networks, targets, notifications.
  ['a network without subnets', network('vpc: vpc-01234567, subnets: [], security-groups: [sg-01234567]'), '4: networks.inner.subnets is an empty list, wanted at least one subnet'],
  ['a network of something else', network('vpc: my-vpc, subnets: [subnet-01234567], security-groups: [sg-01234567]'), '4: networks.inner.vpc is "my-vpc", wanted the id of a VPC: vpc-...'],
  ['a target of an unknown type', target('type: oracle'), '4: restore-targets.copy.type is "oracle", wanted one of postgres, directory'],
  ['a target with a password of this machine', target('type: postgres, host: h, database: d, user: u, password: "${env:PGPASSWORD}"'), `4: restore-targets.copy.password is \${env:PGPASSWORD}, ${TEMPLATE}`],
  ['a directory that would die with its task', target('type: directory, path: /restored, mounts: [{ path: /mnt, file-system: fs-01234567 }]'), '4: restore-targets.copy.path is "/restored", wanted an absolute path below one of the mounts: /mnt'],
  ['a directory without mounts', target('type: directory, path: /restored, mounts: []'), '4: restore-targets.copy.mounts is an empty list, wanted at least one mount'],
  ['a target in an unknown network', `${network('vpc: vpc-01234567, subnets: [subnet-01234567], security-groups: [sg-01234567]')}restore-targets:\n  copy: { type: postgres, host: h, database: d, user: u, network: iner }\n`, '6: restore-targets.copy.network is "iner", wanted one of default, inner (did you mean "inner"?)'],
  ['an address without @', notify('email: [ops]'), '3: notifications.email[0] is "ops", wanted an e-mail address'],
  ['a Slack address in the file (S8)', notify('slack: "https://hooks.example.com/T0/B0/x"'), `3: notifications.slack is (not shown), ${SECRET}`],
  ['a Slack address of this machine', notify('slack: "${env:SLACK}"'), `3: notifications.slack is \${env:SLACK}, ${TEMPLATE}`],
  ['a topic by its name', notify('existing-topic: ops'), '3: notifications.existing-topic is "ops", wanted the ARN of an SNS topic: arn:aws:sns:REGION:ACCOUNT:NAME'],
  // What the local runtime does not carry out.
  ...['network: default', 'task: {}', 'mounts: []', 'events: []', 'freshness-hours: 3', 'start-window-minutes: 3', 'max-duration-minutes: 3'].map((field) => [`${field} in a plan of a directory`, local(field), `4: plans.db.${field.split(':')[0]} is refused: ${NOT_LOCAL}`] as const),
  ['a directory target without a stack', 'vaults:\n  main: { directory: /v, key-file: /k }\nrestore-targets:\n  copy: { type: directory, path: /mnt/x, mounts: [{ path: /mnt, file-system: fs-01234567 }] }\n', '4: restore-targets.copy is refused: the aws runtime alone knows it, and no vault of this file is of kind aws: restore into a directory with --to'],
  ['the network of a target without a stack', 'vaults:\n  main: { directory: /v, key-file: /k }\nrestore-targets:\n  copy: { type: postgres, host: h, database: d, user: u, network: inner }\n', '4: restore-targets.copy.network is refused: the aws runtime alone knows it, and no vault of this file is of kind aws'],
  ...['networks: {}', 'notifications: {}'].map((field) => [`${field} without a stack`, `vaults:\n  main: { directory: /v, key-file: /k }\n${field}\n`, `3: ${field.split(':')[0]} is refused: ${NO_STACK}`] as const),
  ['a certificate at home of nobody', `${LOCAL}restore-targets: { t: { type: postgres, host: h, database: d, user: u, ssl-root-cert: ~/ca.pem } }\n`, '3: restore-targets.t.ssl-root-cert is "~/ca.pem", wanted an absolute path: the home directory is not known here'],
  // Schedules (P5).
  ['a cron outside of its bounds', local('policy: { frequency: { cron: "61 * * * *" } }'), '4: plans.db.policy.frequency.cron is "61 * * * *", wanted fields of "*", numbers, names (mon, jan), lists (1,15), ranges (1-5) and steps (*/10): minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-7'],
  ['a cron that never comes', local('policy: { frequency: { cron: "0 0 30 2 *" } }'), '4: plans.db.policy has the cron "0 0 30 2 *", which never comes, wanted one that does'],
  ['a cron that cannot meet its RPO (P5)', local('policy: { frequency: { cron: "0 8-18 * * *" }, service-level: medium }'), '4: plans.db.policy runs at "0 8-18 * * *" (UTC) and can lose 840 minutes, wanted at most 60 (RPO of its service level)'],
  ['a cron that misses its RPO when clocks go back (P5)', local('policy: { frequency: { cron: "0 2 * * *", time-zone: Europe/Berlin }, service-level: { rto-minutes: 60, rpo-minutes: 1440 } }'), '4: plans.db.policy runs at "0 2 * * *" (Europe/Berlin) and can lose 1500 minutes, wanted at most 1440 (RPO of its service level); 60 of them when clocks go back, so time-zone UTC would do'],
  ['a plan of a stack that cannot meet its RPO (P5)', plan(`${SQLITE}, policy: { frequency: daily, service-level: low }`), '4: plans.db.policy runs daily and can lose 1440 minutes, wanted at most 240 (RPO of its service level)'],
];

describe('holdfast.yaml for aws (P1, P2, P5, P7)', () => {
  it.each(REFUSED)('refuses %s', (_, text, ...lines) => {
    expect(isHoldfastError(refusal(text), 'config-invalid')).toBe(true);
    expect(refusalLines(text)).toEqual(lines);
  });

  it.each([
    ['a password', postgres('password: hunter2')],
    ['a mistyped password', postgres('pasword: hunter2')],
    ['a Slack address', notify('slack: hunter2')],
    ['a user in an endpoint', vault('s3: { bucket: abc, endpoint: "https://me:hunter2@s3.example.com" }, key-file: /k')],
  ])('never repeats %s that was written into the file (S8)', (_, text) => {
    const error = refusal(text);
    expect(JSON.stringify([error, (error as Error).message])).not.toContain('hunter2');
  });
});
