export const STACK = 'rehearsal';
export const SECRETS = { database: 'rehearsal/orders-db', slack: 'rehearsal/slack' } as const;
/** File systems of EFS; the rig has a folder for each. */
export const FILES_FROM = 'fs-0a1b2c3d4e5f60718';
export const FILES_TO = 'fs-0b1c2d3e4f5061728';

export interface ExampleOptions {
  /** Of PostgreSQL. */
  readonly port: number;
  /** When `orders` runs, in UTC. */
  readonly cron: string;
  /** Further plans: name to the source of each. */
  readonly morePlans?: Readonly<Record<string, ExampleSource>>;
}

/** A database like that of `orders` with another door, or a SQLite file among the media. */
export type ExampleSource = { readonly type: 'postgres'; readonly port?: number; readonly secret?: string } | { readonly type: 'sqlite'; readonly file: string };

/** A database every minute, files when asked: what the story and `npm run aws:local` deploy. */
export function exampleConfig({ port, cron, morePlans = {} }: ExampleOptions): string {
  return [
    'vaults:',
    '  main:',
    '    aws:',
    '      object-lock: { mode: governance, days: 1 }',
    'plans:',
    '  orders:',
    ...indented(4, sourceLines({ type: 'postgres' }, port)),
    '    policy:',
    '      based-on: database',
    '      verification: structure',
    `      frequency: { cron: "${cron}", time-zone: UTC }`,
    '  media:',
    '    source: { type: files, paths: [/mnt/media] }',
    '    policy: media',
    ...indented(4, MOUNT),
    ...Object.entries(morePlans).flatMap(([name, source]) => [`  ${name}:`, ...indented(4, [...sourceLines(source, port), 'policy: media'])]),
    'restore-targets:',
    '  orders-again:',
    '    type: postgres',
    ...indented(4, connection(port, SECRETS.database)),
    '    create-database: true',
    '  media-again:',
    '    type: directory',
    '    path: /mnt/restored/media',
    '    mounts:',
    `      - { path: /mnt/restored, file-system: ${FILES_TO} }`,
    'notifications:',
    '  email: [operations@example.com]',
    `  slack: "\${secret:${SECRETS.slack}}"`,
  ].join('\n') + '\n';
}

const MOUNT = ['mounts:', `  - { path: /mnt/media, file-system: ${FILES_FROM} }`];

function sourceLines(source: ExampleSource, port: number): string[] {
  if (source.type === 'sqlite') return [`source: { type: sqlite, path: /mnt/media/${source.file} }`, ...MOUNT];
  return ['source:', '  type: postgres', ...indented(2, connection(source.port ?? port, source.secret ?? SECRETS.database))];
}

function connection(port: number, secret: string): string[] {
  return ['host: host.docker.internal', `port: ${port}`, 'database: orders', 'user: holdfast', `password: "\${secret:${secret}#password}"`];
}

function indented(by: number, lines: readonly string[]): string[] {
  return lines.map((line) => ' '.repeat(by) + line);
}
