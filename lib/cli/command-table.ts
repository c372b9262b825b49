import type { Option } from 'commander';
import { EXPORT_FORMATS } from '../recovery/export/formats.ts';
import { RUN_TRANSITIONS } from '../catalog/records.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { CommandModule } from './command.ts';
import { EXIT_CODE_OF } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { byteRate, byteSize, collect, duration, oneOf, option, timeline, wholeNumber } from './option-values.ts';

/** One command as the command line shows it; `load` fetches what it does only when it is called. */
export interface CommandRow {
  readonly name: string;
  /** In commander's notation. */
  readonly args: string;
  readonly summary: string;
  readonly options: readonly Option[];
  readonly examples: readonly string[];
  /** What its argument may be, where that is known. */
  readonly words?: readonly string[];
  readonly load: () => Promise<CommandModule>;
  /** For who reads exit codes in another way than a shell: what every error of this command ends with. */
  readonly failureCode?: (code: ErrorCode) => ExitCode;
}

export const COMPLETED_SHELLS = ['bash', 'zsh', 'fish'] as const;
const RUN_WORDS = [...Object.keys(RUN_TRANSITIONS), 'active'];
const LEVELS = ['structure', 'sample', 'full'];
const progress = () => option('--progress', 'show progress also when standard error is no terminal');
const yes = () => option('--yes', 'do not ask');
const part = () => option('--part <name>', 'only this part of a backup of several sources, as if it were a backup by itself');

/** Options that every command takes. */
export function commonOptions(): Option[] {
  return [
    option('--vault <dir>', 'directory of the vault, s3://BUCKET/PREFIX, or its name in holdfast.yaml (HOLDFAST_VAULT)'),
    option('--aws <stack>', 'work with a stack that `cdk deploy` made, and its vaults (HOLDFAST_AWS)'),
    option('--key-file <file>', 'file with the key (HOLDFAST_KEY_FILE)'),
    option('--passphrase-file <file>', 'file whose first line is the passphrase (HOLDFAST_PASSPHRASE_FILE)'),
    option('--recipient-key-file <file>', 'file with the private half of an offline recipient, as `keys read-paper` writes it'),
    option('--config <file>', 'holdfast.yaml to use (HOLDFAST_CONFIG)'),
    option('--json', 'results for programs: one JSON document a line'),
  ];
}

export function commandTable(): CommandRow[] {
  return [
    {
      name: 'init', args: '', summary: 'make a vault, its key file, and a holdfast.yaml that names them',
      options: [option('--recipient <file>', 'public half of an offline recipient whose paper opens the vault, too; may be repeated', collect), option('--no-yaml', 'do not write holdfast.yaml')],
      examples: ['holdfast init', 'holdfast init --vault /mnt/backup/vault --key-file ~/keys/vault.key', 'holdfast init --vault /mnt/backup/vault --passphrase-file ~/keys/passphrase'],
      load: () => import('./commands/init.ts'),
    },
    {
      name: 'backup', args: '[targets...]', summary: 'back up a PLAN of holdfast.yaml, PATHs, standard input (-) or the output of a command',
      options: [
        option('--full', 'read everything again, also what seems unchanged'),
        option('--stdin-name <name>', 'name of the entry for `-` and --command'),
        option('--command <line>', 'run this shell command and keep what it prints'),
        option('--end-marker <text>', 'text that the end of the command\'s output must contain'),
        option('--minimum-size <size>', 'fail when less than this is backed up', byteSize),
        option('--exclude <pattern>', 'leave out what matches; may be repeated', collect),
        option('--include <pattern>', 'keep only what matches; may be repeated', collect),
        option('--one-file-system', 'do not enter other mounts'),
        oneOf('--compression <name>', 'compression of new data', ['zstd', 'gzip', 'none']),
        option('--level <n>', 'compression level', wholeNumber(1, 22)),
        oneOf('--class <name>', 'storage class of new data', ['hot', 'warm', 'cold']),
        option('--trust-writer <id>', 'reuse what this writer stored, too: another machine with the same key; may be repeated', collect),
        option('--threads <n>', 'worker threads', wholeNumber(1, 64)),
        oneOf('--verify <level>', 'read the new backup back before it counts as good', ['none', ...LEVELS]),
        option('--limit-upload <size>', 'write at most this many bytes a second', byteRate),
        progress(),
      ],
      examples: [
        'holdfast backup ~/documents', 'holdfast backup database', 'holdfast backup /etc /home --exclude node_modules --one-file-system', 'pg_dump app | holdfast backup - --stdin-name app.sql',
        "holdfast backup --command 'pg_dump app' --stdin-name app.sql --end-marker 'PostgreSQL database dump complete'",
      ],
      load: () => import('./commands/backup.ts'),
    },
    {
      name: 'list', args: '', summary: 'list backups, newest first',
      options: [option('--plan <name>', 'only backups of this plan'), option('--limit <n>', 'at most this many; without it 500 on a terminal or in a pipe, all with --json', wholeNumber(1, 1_000_000))],
      examples: ['holdfast list', 'holdfast list --plan database --limit 10', 'holdfast list --json | head -1'],
      load: () => import('./commands/list.ts'),
    },
    {
      name: 'show', args: '<id>', summary: 'show one backup: what, when, figures, warnings, what verification said', options: [],
      examples: ['holdfast show latest', 'holdfast show 01KAP --json'],
      load: () => import('./commands/show.ts'),
    },
    {
      name: 'ls', args: '<id> [path]', summary: 'list the entries of one directory in a backup',
      options: [option('-r, --recursive', 'everything below too')],
      examples: ['holdfast ls latest', 'holdfast ls latest:database', 'holdfast ls 01KAP src/lib --recursive'],
      load: () => import('./commands/ls.ts'),
    },
    {
      name: 'restore', args: '<id> [patterns...]', summary: 'restore a backup, or what matches, into a directory, a bucket, a database or a PostgreSQL data directory',
      options: [
        part(),
        option('--to <dir>', 'directory to restore into; made when it is not there'),
        option('--to-aws <url>', 'Parameter Store or Secrets Manager to restore parameters or secrets into: ssm:PREFIX or secretsmanager:PREFIX, with region, endpoint and key as parameters, never with credentials; without PREFIX under their own names'),
        option('--to-bucket <url>', 'bucket to restore objects or files into: s3://BUCKET/PREFIX, with endpoint, region, path-style and ca-file as parameters, never with credentials'),
        option('--to-database <url>', 'database to restore into, which is there and empty: postgres://USER@HOST:PORT/DATABASE or mysql://USER@HOST:PORT/DATABASE, never with a password; without DATABASE: every database of the backup, of PostgreSQL with its roles. Or redis://USER@HOST:PORT for the keys of a running server, redis-directory:/var/lib/redis for one that is stopped'),
        option('--to-target <name>', 'the same for a target under `restore-targets` in holdfast.yaml; with --aws, a target of the stack'),
        option('--to-data-directory <dir>', 'new data directory of a PostgreSQL server, from a base backup (`mode: physical`); empty or not there'),
        option('--to-time <time>', 'recover until then: "2026-11-20 14:30", 2026-11-20T14:30:00.123456Z, or an age as 90min, 12h; needs WAL of the plan in the vault, or --restore-command'),
        option('--to-lsn <lsn>', 'recover to this WAL position: 0/3000148'),
        option('--to-name <name>', 'recover to this point of pg_create_restore_point()'),
        option('--to-latest', 'recover to the end of the archive'),
        option('--immediate', 'recover just as far as the base backup is consistent, onto a new timeline'),
        option('--timeline <id>', 'timeline to follow: a number, latest (default), or current, that of the backup', timeline),
        oneOf('--target-action <action>', 'what the server does at the target: promote (default), pause, shutdown', ['promote', 'pause', 'shutdown']),
        option('--restore-command <command>', 'how PostgreSQL gets the WAL segment %f to the path %p; from this vault when not given'),
        option('--start <port>', 'start the server on 127.0.0.1 and this port, and wait until recovery is over', wholeNumber(1, 65_535)),
        option('--keep-archiving', 'leave archive_mode as it was; without it the restored server archives nothing'),
        option('--create', 'make the database; it gets its name when everything is restored'),
        option('--clean', 'drop what the backup has from a database that is not empty, and replace it; asks first'),
        option('--keep-existing', 'leave what a database has already of the backup, and add the rest (Redis, Valkey)'),
        option('--table <name>', 'only this table of a database, with what belongs to it: TABLE or SCHEMA.TABLE, * for others; of Redis keys of this name; may be repeated', collect),
        option('--schema <name>', 'only this schema of a database; may be repeated', collect),
        option('--jobs <n>', 'connections that fill a new database at the same time', wholeNumber(1, 64)),
        option('--password-file <file>', 'file whose first line is the password for the database (HOLDFAST_DATABASE_PASSWORD, or ~/.pgpass)'),
        option('--dry-run', 'show what would be done and do nothing'),
        oneOf('--overwrite <when>', 'replace what is there: never (default), older, changed, always. Objects of a bucket by ETag and size. Files, links and special files, one for another; never a directory by one of them or the reverse, nor a link where a directory is wanted: move those away first', ['never', 'older', 'changed', 'always']),
        option('--delete-extra', 'delete what is in DIR and not in the backup; asks first'),
        option('--no-owner', 'do not set owner and group; of databases, owners and privileges'),
        option('--threads <n>', 'worker threads', wholeNumber(0, 64)),
        yes(), progress(),
      ],
      examples: ['holdfast restore latest --to /tmp/restored', "holdfast restore latest --to /tmp/restored 'etc/**/*.conf'", 'holdfast restore latest:database --to . --overwrite changed --dry-run', 'holdfast restore latest:media --to-bucket s3://shop-media-restored --dry-run', 'holdfast restore latest:configs --to-aws ssm:/restored --dry-run', 'holdfast restore latest:app --to-database postgres://admin@localhost/app_restored --create', 'holdfast restore latest:app --to-database postgres://admin@localhost/app --table public.orders', 'holdfast restore latest:server --to-database postgres://admin@new-host/', "holdfast restore latest:cache --to-database redis://admin@localhost:6379/0 --table 'session:*' --keep-existing", 'holdfast restore latest:app --to-target staging --clean --dry-run', 'holdfast restore latest:shop --part db --to-database postgres://admin@localhost/shop --create', "holdfast restore latest:cluster --to-data-directory /srv/pg/restored --to-time '2026-11-20 14:30' --start 5433"],
      load: () => import('./commands/restore.ts'),
    },
    {
      name: 'cat', args: '<id> <path>', summary: 'write one file of a backup to standard output', options: [],
      examples: ['holdfast cat latest etc/hosts', 'holdfast cat latest:app.sql app.sql | psql app'],
      load: () => import('./commands/cat.ts'),
    },
    {
      name: 'find', args: '<patterns...>', summary: 'find files in all backups: which versions there are, and which backups have them',
      options: [
        option('--plan <name>', 'only backups of this plan'),
        option('--newer <time>', 'only files that were modified then or later: 2026-11-20, "2026-11-20 14:30", or an age as 90min, 12h, 3d, 2w'),
        option('--older <time>', 'only files that were modified then or before'),
        option('--all', 'show all versions; 500 when not given, all with --json'),
        progress(),
      ],
      examples: ["holdfast find 'invoice*.pdf'", 'holdfast find etc/nginx/nginx.conf --plan server', "holdfast find '*.sql' --newer 7d --json"],
      load: () => import('./commands/find.ts'),
    },
    {
      name: 'export', args: '<id> [patterns...]', summary: 'write a backup, or what matches, as a standard file with its metadata and checksum beside it',
      options: [
        part(),
        option('--to <place>', 'directory (it names the files itself), file, or - for standard output'),
        oneOf('--format <format>', 'by the name of the file when not given, else raw for dumps and streams and tar.zst for trees', Object.keys(EXPORT_FORMATS)),
        option('--keep-going', 'leave out what is damaged and say so in the archive, instead of failing; everything is read twice'),
        option('--no-sparse', 'write the holes of sparse files as zeros, for programs that do not know GNU sparse files'),
        option('--dry-run', 'show what would be written and do nothing'),
        progress(),
      ],
      examples: ['holdfast export latest --to /mnt/handover/', 'holdfast export latest:documents --to documents.tar.gz', "holdfast export 01KAP --to /tmp/etc.tar.zst 'etc/**/*.conf'", 'holdfast export latest:database --to . --dry-run', 'holdfast export latest:app.sql --to - | psql app'],
      load: () => import('./commands/export.ts'),
    },
    {
      name: 'diff', args: '<id> [other]', summary: 'show what differs between two backups, or between a backup and a directory',
      options: [
        part(),
        option('--with <dir>', 'compare with this directory instead of a second backup'),
        option('--content', 'with --with: read files of the same size, too; else size and time speak for what is in them'),
        option('--stat', 'only how much was added, removed and changed'),
        option('--exit-code', 'end with 3 when they differ; else 0 whether they differ or not'),
        progress(),
      ],
      examples: ['holdfast diff 01KAP latest', 'holdfast diff latest:documents --with ~/documents', 'holdfast diff latest --with /srv/www --content --exit-code', 'holdfast diff 01KAP 01KAQ --stat --json'],
      load: () => import('./commands/diff.ts'),
    },
    {
      name: 'verify', args: '[id]', summary: 'check one backup, or all of them',
      options: [
        oneOf('--level <level>', 'structure (lists, trees), sample (some packs, others each time), full (every byte); sample when not given', LEVELS),
        option('--within <days>', 'read again what was not read for longest, so much that every stored byte is read within so many days when this runs as often as before; `coverage` of the vault in holdfast.yaml makes it the default', wholeNumber(1, 3650)),
        option('--max-duration <time>', 'with --within: take no longer than this, for example 20m; the next run goes on', duration),
        progress(),
      ],
      examples: ['holdfast verify', 'holdfast verify latest --level full', 'holdfast verify --within 30 --max-duration 20m', 'holdfast verify --level structure --json'],
      load: () => import('./commands/verify.ts'),
    },
    {
      name: 'stats', args: '', summary: 'show how much is protected and how much is stored', options: [],
      examples: ['holdfast stats', 'holdfast stats --json'],
      load: () => import('./commands/stats.ts'),
    },
    {
      name: 'pitr windows', args: '[plan]', summary: 'show what PostgreSQL plans can be restored to: windows by position and time, gaps, how old the last WAL is; exit code 3 when something is missing or late',
      options: [option('--max-age <time>', 'how long ago WAL may have arrived last, such as 15m; `wal-freshness` of the plan when not given', duration)],
      examples: ['holdfast pitr windows', 'holdfast pitr windows cluster --json', 'holdfast pitr windows cluster --max-age 15m'],
      load: () => import('./commands/pitr-windows.ts'),
    },
    {
      name: 'wal-archive', args: '<path> [name]', summary: 'keep one file of WAL; for archive_command of PostgreSQL, which gives %p and %f',
      options: [option('--plan <name>', 'plan that the WAL belongs to').makeOptionMandatory(), option('--system-id <number>', 'of the server, where it is not run in a data directory'), option('--also-ready <n>', 'archive up to so many of the files that PostgreSQL will ask for next, too; their calls then return at once. Give %p and %f first', wholeNumber(1, 1000))],
      examples: ["archive_command = 'holdfast-wal archive %p %f --plan cluster --also-ready 50'", "archive_command = 'holdfast wal-archive %p %f --plan cluster'", 'holdfast wal-archive /var/lib/postgresql/18/main/pg_wal/00000002.history --plan cluster'],
      // PostgreSQL calls again after 1 to 125; more than that, or a signal, makes its archiver end.
      failureCode: (code) => (EXIT_CODE_OF[code] > 125 ? 1 : EXIT_CODE_OF[code]),
      load: () => import('./commands/wal-archive.ts'),
    },
    {
      name: 'wal-fetch', args: '<name> <path>', summary: 'write one file of WAL out; for restore_command of PostgreSQL, which gives %f and %p',
      options: [option('--plan <name>', 'plan that the WAL belongs to').makeOptionMandatory(), option('--system-id <number>', 'of the server, where it is not run in a data directory'), option('--also-next <n>', 'write out up to so many of the segments behind it, too, below the state directory; their calls then return at once. Give %f and %p first', wholeNumber(1, 200))],
      examples: ["restore_command = 'holdfast-wal fetch %f %p --plan cluster --also-next 30'", "restore_command = 'holdfast wal-fetch %f %p --plan cluster'", 'holdfast wal-fetch 00000002.history /tmp/00000002.history --plan cluster --system-id 7713232593048825347'],
      // 1 is the end of WAL for PostgreSQL; an error must not look like it. More than 125 ends recovery; 126 and 127 would be told as a command that is not there.
      failureCode: () => 200,
      load: () => import('./commands/wal-fetch.ts'),
    },
    {
      name: 'wal-receive', args: '<plan>', summary: 'receive WAL of a PostgreSQL plan all the time and keep it, until a signal ends it',
      options: [
        option('--slot <name>', 'replication slot, made when it is not there; holdfast_PLAN when not given'),
        option('--partial-every <time>', 'how often the segment that is being written is kept, too: what the loss of the server may cost; 60s when not given', duration),
        option('--warn-after <time>', 'warn when what the server had so long ago is not in the vault; `wal-freshness` of the plan or 5m when not given', duration),
      ],
      examples: ['holdfast wal-receive cluster', 'holdfast wal-receive cluster --partial-every 10s --json'],
      load: () => import('./commands/wal-receive.ts'),
    },
    {
      name: 'remove', args: '<ids...>', summary: 'remove backups; prune frees their space later',
      options: [option('--dry-run', 'show what would be removed and do nothing'), option('--force', 'also the last good backup of a plan'), option('--reason <text>', 'kept in the vault with the removal'), yes()],
      examples: ['holdfast remove 01KAP --dry-run', "holdfast remove 01KAP 01KAQ --yes --reason 'test data'"],
      load: () => import('./commands/remove.ts'),
    },
    {
      name: 'prune', args: '', summary: 'free what no backup needs any more, in steps at least 24 hours apart',
      options: [option('--dry-run', 'show what would be done and do nothing')],
      examples: ['holdfast prune --dry-run', 'holdfast prune'],
      load: () => import('./commands/prune.ts'),
    },
    {
      name: 'repair packs', args: '', summary: 'give older backups back what damaged or missing packs held, from whatever holds it still',
      options: [option('--dry-run', 'say what would be healed, what is lost and what to do, and do nothing'), yes(), progress()],
      examples: ['holdfast repair packs --dry-run', 'holdfast repair packs', 'holdfast repair packs --yes --json'],
      load: () => import('./commands/repair-packs.ts'),
    },
    {
      name: 'repair index', args: '', summary: 'make indexes again that are damaged or lost, from the packs themselves',
      options: [option('--dry-run', 'say what would be written and do nothing'), progress()],
      examples: ['holdfast repair index --dry-run', 'holdfast repair index'],
      load: () => import('./commands/repair-index.ts'),
    },
    {
      name: 'runs', args: '', summary: 'list runs, newest first: what became of each, how far it is, what it waits for',
      options: [option('--plan <name>', 'only runs of this plan'), oneOf('--state <state>', 'only runs in this state; active: all that have not ended', RUN_WORDS), option('--limit <n>', 'at most this many; 20 when not given', wholeNumber(1, 10_000))],
      examples: ['holdfast runs --aws shop', 'holdfast runs --aws shop --state failed --limit 5', 'holdfast runs --aws shop --plan orders --json'],
      load: () => import('./commands/runs.ts'),
    },
    {
      name: 'runs show', args: '<run>', summary: 'show everything of one run, also its task and where its log is', options: [],
      examples: ['holdfast runs show 01KAP2Q8X0J5T3M6W9RZB4V7CD --aws shop', 'holdfast runs show 01KAP --json'],
      load: () => import('./commands/runs-show.ts'),
    },
    {
      name: 'alerts', args: '', summary: 'list the open alerts of a stack with what to do now; exit code 3 when there are any',
      options: [option('--all', 'also those that are resolved'), option('--limit <n>', 'with --all at most this many; 100 when not given', wholeNumber(1, 10_000))],
      examples: ['holdfast alerts --aws shop', 'holdfast alerts --aws shop --all --json'],
      load: () => import('./commands/alerts.ts'),
    },
    {
      name: 'schedules', args: '', summary: 'list the plans of a stack: when they run next, their last good backup, whether they are paused', options: [],
      examples: ['holdfast schedules --aws shop', 'holdfast schedules --aws shop --json'],
      load: () => import('./commands/schedules.ts'),
    },
    {
      name: 'schedules pause', args: '<plan>', summary: 'stop starting a plan of a stack until it is resumed; what is under way goes on', options: [option('--dry-run', 'show what would be done and do nothing')],
      examples: ['holdfast schedules pause orders --aws shop'],
      load: () => import('./commands/schedules-pause.ts'),
    },
    {
      name: 'schedules resume', args: '<plan>', summary: 'start a paused plan of a stack again; what it missed is caught up once', options: [option('--dry-run', 'show what would be done and do nothing')],
      examples: ['holdfast schedules resume orders --aws shop'],
      load: () => import('./commands/schedules-resume.ts'),
    },
    {
      name: 'restores', args: '', summary: 'list restores, newest first, with their stages', options: [option('--limit <n>', 'at most this many; 20 when not given', wholeNumber(1, 10_000))],
      examples: ['holdfast restores --aws shop', 'holdfast restores --aws shop --limit 1 --json'],
      load: () => import('./commands/restores.ts'),
    },
    {
      name: 'keys list', args: '', summary: 'list the key slots of the vault', options: [],
      examples: ['holdfast keys list'],
      load: () => import('./commands/keys-list.ts'),
    },
    {
      name: 'keys add', args: '', summary: 'let one more key file, passphrase, KMS key or offline recipient open the vault',
      options: [
        option('--new-key-file <file>', 'key file to add; made when it is not there'),
        option('--new-passphrase-file <file>', 'file with the passphrase to add'),
        option('--new-kms-key <key>', 'key or alias of AWS KMS to add: its ARN, or alias/NAME'),
        option('--recipient <file>', 'public half of an offline recipient to add', collect),
        option('--meta-only', 'the new key lists, prunes and checks structure, and reads no content'),
      ],
      examples: ['holdfast keys add --new-key-file /media/usb/vault.key', 'holdfast keys add --new-passphrase-file ~/keys/passphrase'],
      load: () => import('./commands/keys-add.ts'),
    },
    {
      name: 'keys rotate', args: '', summary: 'seal what is backed up from now on with new keys; the key in use and those named here get them',
      options: [
        option('--for-key-file <file>', 'key file that gets the new keys too; may be repeated', collect),
        option('--for-passphrase-file <file>', 'file with a passphrase that gets the new keys too; may be repeated', collect),
        option('--for-recipient <file>', 'public half of a recipient that gets the new keys too, besides `recipients` in holdfast.yaml; may be repeated', collect),
        option('--for-kms-key <key>', 'key or alias of AWS KMS that gets the new keys too; may be repeated', collect),
        option('--leave-out <slot>', 'slot whose key shall not open new backups; it goes on to open the old ones; may be repeated', collect),
        option('--dry-run', 'show who would open what and do nothing'),
      ],
      examples: ['holdfast keys rotate --dry-run', 'holdfast keys rotate --for-passphrase-file ~/keys/passphrase', 'holdfast keys rotate --key-file ~/keys/new.key --leave-out 9f31c2aa'],
      load: () => import('./commands/keys-rotate.ts'),
    },
    {
      name: 'keys test', args: '', summary: 'prove what a key opens: its slots, the newest backup and some of its contents are decoded',
      options: [
        option('--try-key-file <file>', 'test this key file and not the key in use; may be repeated, as the three below', collect),
        option('--try-passphrase-file <file>', 'test the passphrase in this file', collect),
        option('--try-recipient-key-file <file>', 'test this private half of a recipient', collect),
        option('--try-kms-key <key>', 'test this key or alias of AWS KMS', collect),
      ],
      examples: ['holdfast keys test', 'holdfast keys test --try-key-file /media/usb/vault.key --try-passphrase-file ~/keys/passphrase --json'],
      load: () => import('./commands/keys-test.ts'),
    },
    {
      name: 'keys remove', args: '<slots...>', summary: 'remove key slots; never the last one that opens a key number, nor all that the key in use opens it by',
      options: [option('--dry-run', 'show what would be removed and do nothing'), yes()],
      examples: ['holdfast keys remove 9f31c2aa --dry-run', 'holdfast keys remove 9f31c2aa --key-file ~/keys/new.key'],
      load: () => import('./commands/keys-remove.ts'),
    },
    {
      name: 'keys make-recipient', args: '<file>', summary: 'make a key whose private half is kept on paper: writes the public half to FILE and prints the paper',
      options: [option('--paper-file <file>', 'write the paper to this file (mode 0600) and not to standard output')],
      examples: ['holdfast keys make-recipient office.recipient | lpr', 'holdfast keys make-recipient office.recipient --paper-file /media/usb/office.paper'],
      load: () => import('./commands/keys-make-recipient.ts'),
    },
    {
      name: 'keys read-paper', args: '', summary: 'type the five lines of a paper: proves them, and writes them as a key file when asked to',
      options: [option('--to <file>', 'file to make (mode 0600), for --recipient-key-file'), option('--public-to <file>', 'make the file with the public half again, should it be lost')],
      examples: ['holdfast keys read-paper', 'holdfast keys read-paper --to recovery.key', 'holdfast keys read-paper --public-to office.recipient', 'holdfast restore latest --to /tmp/restored --recipient-key-file recovery.key'],
      load: () => import('./commands/keys-read-paper.ts'),
    },
    {
      name: 'catalog rebuild', args: '', summary: 'make a broken or lost catalog again from the vault: the history of runs and restores is forgotten',
      options: [option('--dry-run', 'say what would be forgotten and do nothing'), yes()],
      examples: ['holdfast catalog rebuild', 'holdfast catalog rebuild --aws shop --dry-run'],
      load: () => import('./commands/catalog-rebuild.ts'),
    },
    {
      name: 'kit', args: '', summary: 'write the recovery kit, which every vault holds, into a directory: to keep it with the key',
      options: [option('--to <dir>', 'directory to write script and page into; made when it is not there').makeOptionMandatory()],
      examples: ['holdfast kit --to /media/usb'],
      load: () => import('./commands/kit.ts'),
    },
    {
      name: 'doctor', args: '', summary: 'find out whether machine, configuration, vault and key are fit, and what the store really keeps',
      options: [option('--no-probe', 'ask the store nothing that takes writing')],
      examples: ['holdfast doctor', 'holdfast doctor --vault s3://BUCKET/PREFIX', 'holdfast doctor --no-probe --json'],
      load: () => import('./commands/doctor.ts'),
    },
    {
      name: 'completion', args: '<shell>', words: COMPLETED_SHELLS, summary: 'print a script that lets bash, zsh or fish complete commands, options and their values', options: [],
      examples: ['source <(holdfast completion bash)', 'holdfast completion fish > ~/.config/fish/completions/holdfast.fish'],
      load: () => import('./commands/completion.ts'),
    },
    {
      name: 'version', args: '', summary: 'print the version', options: [],
      examples: ['holdfast version'],
      load: () => import('./commands/version.ts'),
    },
  ];
}
