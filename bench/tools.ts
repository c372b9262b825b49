/** How each tool does each step. Placeholders: {repo} {src} {out} {home} {holdfast}. Commands are run by `sh -c`. */
export interface Tool {
  readonly name: string;
  /** Prints its version; a tool whose command fails is left out and named. */
  readonly version: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly init: string;
  readonly tree?: { readonly backup: string; readonly restore: string };
  readonly stream?: { readonly backup: string; readonly restore: string };
  readonly verify?: string;
}

export const TOOLS: readonly Tool[] = [
  {
    name: 'holdfast',
    version: '{holdfast} --version',
    environment: { XDG_STATE_HOME: '{home}/state', XDG_CONFIG_HOME: '{home}/config' },
    init: '{holdfast} init --no-yaml --vault {repo} --key-file {home}/key',
    tree: { backup: '{holdfast} backup {src} --vault {repo} --key-file {home}/key', restore: '{holdfast} restore latest --to {out} --vault {repo} --key-file {home}/key' },
    stream: { backup: '{holdfast} backup - --stdin-name dump --vault {repo} --key-file {home}/key < {src}', restore: '{holdfast} cat latest dump --vault {repo} --key-file {home}/key > {out}/dump' },
    verify: '{holdfast} verify --level full --vault {repo} --key-file {home}/key',
  },
  {
    name: 'kopia (zstd)',
    version: 'kopia --version',
    environment: { KOPIA_PASSWORD: 'bench', KOPIA_CONFIG_PATH: '{home}/kopia.config', KOPIA_CACHE_DIRECTORY: '{home}/cache', KOPIA_CHECK_FOR_UPDATES: 'false', KOPIA_LOG_DIR: '{home}/log' },
    init: 'kopia repository create filesystem --path {repo} && kopia policy set --global --compression=zstd',
    tree: { backup: 'kopia snapshot create {src}', restore: 'kopia restore $(kopia snapshot list {src} --json | sed -n \'s/.*"id":"\\([0-9a-f]*\\)".*/\\1/p\' | tail -1) {out}' },
    stream: { backup: 'kopia snapshot create --stdin-file dump /stream < {src}', restore: 'kopia show $(kopia snapshot list /stream --json | sed -n \'s/.*"obj":"\\([^"]*\\)".*/\\1/p\' | tail -1)/dump > {out}/dump' },
    verify: 'kopia snapshot verify --verify-files-percent=100',
  },
  {
    name: 'restic',
    version: 'restic version',
    environment: { RESTIC_PASSWORD: 'bench', RESTIC_REPOSITORY: '{repo}', RESTIC_CACHE_DIR: '{home}/cache' },
    init: 'restic init',
    tree: { backup: 'restic backup {src}', restore: 'restic restore latest:{src} --target {out}' },
    stream: { backup: 'restic backup --stdin --stdin-filename dump < {src}', restore: 'restic dump latest /dump > {out}/dump' },
    verify: 'restic check --read-data',
  },
  {
    name: 'borg (zstd,3)',
    version: 'borg --version',
    environment: { BORG_PASSPHRASE: 'bench', BORG_REPO: '{repo}', BORG_BASE_DIR: '{home}', BORG_RELOCATED_REPO_ACCESS_IS_OK: 'yes' },
    init: 'borg init --encryption repokey',
    tree: { backup: 'borg create --compression zstd,3 ::{now} {src}', restore: 'cd {out} && borg extract ::$(borg list --last 1 --format "{archive}")' },
    stream: { backup: 'borg create --compression zstd,3 ::{now} - < {src}', restore: 'borg extract --stdout ::$(borg list --last 1 --format "{archive}") > {out}/dump' },
    verify: 'borg check --verify-data',
  },
  {
    name: 'tar, zstd -3 -T0',
    version: 'zstd --version',
    environment: {},
    init: 'true',
    tree: { backup: 'tar -C {src} -c . | zstd -q -f -3 -T0 -o {repo}/t.zst', restore: 'zstd -q -d -c {repo}/t.zst | tar -C {out} -x' },
    stream: { backup: 'zstd -q -f -3 -T0 < {src} > {repo}/t.zst', restore: 'zstd -q -d -c {repo}/t.zst > {out}/dump' },
    verify: 'zstd -q -t {repo}/t.zst',
  },
];
