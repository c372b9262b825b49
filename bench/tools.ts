/**
 * How each tool does each step, with its defaults but for zstd where it has a choice. Placeholders: {repo} {src} {out}
 * {home} {now} {holdfast} {pick}. Commands are run by `sh -c`.
 */
export interface Tool {
  readonly name: string;
  /** Prints its version; a tool whose command fails is left out and named. */
  readonly version: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly init: string;
  /** Of a directory {src}, and back into the empty directory {out}. */
  readonly tree: Steps;
  /** Of standard input, the file {src}, and back into the file {out}/dump. */
  readonly stream: Steps;
  /** Of everything that is stored, in full. */
  readonly verify: string;
  /** Gives up all backups but the newest and frees what only they needed. */
  readonly prune?: string;
  /** Keeps nothing between backups, so that there is no unchanged and no changed one. */
  readonly isOneShot?: true;
}

export interface Steps {
  readonly backup: string;
  readonly restore: string;
}

const VAULT = '--vault {repo} --key-file {home}/key';
const KOPIA_PRUNE = 'kopia snapshot delete --delete $(kopia snapshot list --all --json | {pick} id all-but-newest) && kopia maintenance run --full --safety=none';

export const TOOLS: readonly Tool[] = [
  {
    name: 'holdfast',
    version: '{holdfast} --version',
    environment: { XDG_STATE_HOME: '{home}/state', XDG_CONFIG_HOME: '{home}/config' },
    init: `{holdfast} init --no-yaml ${VAULT}`,
    tree: { backup: `{holdfast} backup {src} ${VAULT}`, restore: `{holdfast} restore latest --to {out} ${VAULT}` },
    stream: { backup: `{holdfast} backup - --stdin-name dump ${VAULT} < {src}`, restore: `{holdfast} cat latest dump ${VAULT} > {out}/dump` },
    verify: `{holdfast} verify --level full ${VAULT}`,
    prune: `{holdfast} remove --yes $({holdfast} list --json ${VAULT} | {pick} backup all-but-newest) ${VAULT} && {holdfast} prune ${VAULT}`,
  },
  {
    name: 'kopia (zstd)',
    version: 'kopia --version',
    environment: { KOPIA_PASSWORD: 'bench', KOPIA_CONFIG_PATH: '{home}/kopia.config', KOPIA_CACHE_DIRECTORY: '{home}/cache', KOPIA_CHECK_FOR_UPDATES: 'false', KOPIA_LOG_DIR: '{home}/log' },
    init: 'kopia repository create filesystem --path {repo} && kopia policy set --global --compression=zstd',
    tree: { backup: 'kopia snapshot create --no-progress {src}', restore: 'kopia restore --no-progress $(kopia snapshot list --all --json | {pick} id) {out}' },
    stream: { backup: 'kopia snapshot create --no-progress --stdin-file dump /stream < {src}', restore: 'kopia show $(kopia snapshot list --all --json | {pick} rootEntry.obj)/dump > {out}/dump' },
    verify: 'kopia snapshot verify --no-progress --verify-files-percent=100',
    prune: KOPIA_PRUNE,
  },
  {
    name: 'restic',
    version: 'restic version',
    environment: { RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: '{repo}', RESTIC_CACHE_DIR: '{home}/cache' },
    init: 'restic init',
    tree: { backup: 'restic backup {src}', restore: 'restic restore latest:{src} --target {out}' },
    stream: { backup: 'restic backup --stdin --stdin-filename dump < {src}', restore: 'restic dump latest /dump > {out}/dump' },
    verify: 'restic check --read-data',
    prune: 'restic forget --keep-last 1 --prune',
  },
  {
    name: 'rustic',
    version: 'rustic --version',
    environment: { RUSTIC_PASSWORD: 'bench', RUSTIC_REPOSITORY: '{repo}', RUSTIC_CACHE_DIR: '{home}/cache', RUSTIC_NO_PROGRESS: 'true' },
    init: 'rustic init',
    tree: { backup: 'rustic backup {src}', restore: 'rustic restore latest:{src} {out}' },
    // Without --force rustic 0.11 takes the content of the backup before for that of standard input.
    stream: { backup: 'rustic backup --force --stdin-filename dump - < {src}', restore: 'rustic dump latest:/dump > {out}/dump' },
    verify: 'rustic check --read-data',
    prune: 'rustic forget --keep-last 1 --prune --instant-delete',
  },
  {
    name: 'borg (zstd,3)',
    version: 'borg --version',
    environment: { BORG_PASSPHRASE: 'bench', BORG_REPO: '{repo}', BORG_BASE_DIR: '{home}', BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes' },
    init: 'borg init --encryption repokey',
    tree: { backup: 'cd {src} && borg create --compression zstd,3 ::{now} .', restore: 'cd {out} && borg extract ::$(borg list --last 1 --format "{archive}")' },
    stream: { backup: 'borg create --compression zstd,3 --stdin-name dump ::{now} - < {src}', restore: 'borg extract --stdout ::$(borg list --last 1 --format "{archive}") > {out}/dump' },
    verify: 'borg check --verify-data',
    prune: 'borg prune --keep-last 1 && borg compact',
  },
  {
    name: 'tar, zstd -3 -T0',
    version: 'zstd --version',
    environment: {},
    init: 'true',
    tree: { backup: 'tar -C {src} -c . | zstd -q -f -3 -T0 -o {repo}/t.zst', restore: 'zstd -q -d -c {repo}/t.zst | tar -C {out} -x' },
    stream: { backup: 'zstd -q -f -3 -T0 < {src} > {repo}/t.zst', restore: 'zstd -q -d -c {repo}/t.zst > {out}/dump' },
    verify: 'zstd -q -t {repo}/t.zst',
    isOneShot: true,
  },
];
