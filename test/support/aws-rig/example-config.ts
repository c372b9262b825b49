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
  /** Further YAML below `plans:`, two spaces in. */
  readonly morePlans?: readonly string[];
}

/** A database every minute, files when asked: what the story and `npm run aws:local` deploy. */
export function exampleConfig({ port, cron, morePlans = [] }: ExampleOptions): string {
  const connection = (database: string) => [`host: host.docker.internal`, `port: ${port}`, `database: ${database}`, 'user: holdfast', `password: "\${secret:${SECRETS.database}#password}"`];
  return [
    'vaults:',
    '  main:',
    '    aws:',
    '      object-lock: { mode: governance, days: 1 }',
    'plans:',
    '  orders:',
    '    source:',
    '      type: postgres',
    ...connection('orders').map((line) => `      ${line}`),
    '    policy:',
    '      based-on: database',
    '      verification: structure',
    `      frequency: { cron: "${cron}", time-zone: UTC }`,
    '  media:',
    '    source: { type: files, paths: [/mnt/media] }',
    '    policy: media',
    '    mounts:',
    `      - { path: /mnt/media, file-system: ${FILES_FROM} }`,
    ...morePlans,
    'restore-targets:',
    '  orders-again:',
    '    type: postgres',
    ...connection('orders').map((line) => `    ${line}`),
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
