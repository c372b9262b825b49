import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildWorkerImage } from '../support/aws-rig/images.ts';
import type { Release } from '../support/aws-rig/images.ts';
import { startPodman } from '../support/aws-rig/private-podman.ts';
import type { PrivatePodman } from '../support/aws-rig/private-podman.ts';
import { postgresBinaries } from '../support/servers/postgres.ts';
import { Contained } from './contained.ts';
import type { ImageDesk } from './contained.ts';
import { wholeCluster } from './cluster-trips.ts';
import { mariadb, timescale } from './other-trips.ts';
import { chosenTables, oneDatabase, wholeServer } from './round-trips.ts';
import type { Outcome } from './round-trips.ts';

/** `HOLDFAST_IMAGE_TRIPS=all`, which `npm run test:image` sets, runs every round trip in two images. */
const IS_WHOLE = process.env['HOLDFAST_IMAGE_TRIPS'] === 'all';
const ROOT = join(__dirname, '..', '..');

interface Trip {
  readonly name: string;
  readonly run: (desk: ImageDesk) => Promise<Outcome>;
  readonly isSmoke?: boolean;
}

const POSTGRES = (version: 15 | 16): Trip[] => [
  { name: 'PostgreSQL, custom format', run: (desk) => oneDatabase(desk, version), isSmoke: true },
  { name: 'PostgreSQL, directory format, 2 jobs', run: (desk) => oneDatabase(desk, version, ', jobs: 2') },
  { name: 'PostgreSQL, whole server with roles', run: (desk) => wholeServer(desk, version) },
  { name: 'PostgreSQL, chosen tables', run: (desk) => chosenTables(desk, version) },
  { name: 'base backup, wal-archive, wal-fetch', run: (desk) => wholeCluster(desk, version, 'wal-archive') },
  { name: 'base backup, wal-receive, wal-fetch', run: (desk) => wholeCluster(desk, version, 'wal-receive') },
];
const MARIADB: Trip = { name: 'MariaDB, whole and by table', run: mariadb, isSmoke: true };

/** bookworm brings the programs of PostgreSQL 15 and MariaDB 10.11, trixie those of 17 and 11.8. */
const TRIPS: Readonly<Record<Release, { readonly programs: RegExp; readonly trips: readonly Trip[] }>> = {
  bookworm: { programs: /^pg_dump 15\.\d+, pg_restore 15\.\d+, psql 15\.\d+, pg_dumpall 15\.\d+, pg_basebackup 15\.\d+, pg_receivewal 15\.\d+, mariadb-dump 10\.11\.\d+, mariadb 10\.11\.\d+$/, trips: [...POSTGRES(15), { name: 'PostgreSQL, custom format, programs of 18 mounted', run: (desk) => oneDatabase({ ...desk, postgresBinaries: postgresBinaries(18) }, 18) }, MARIADB] },
  trixie: {
    programs: /^pg_dump 17\.\d+, pg_restore 17\.\d+, psql 17\.\d+, pg_dumpall 17\.\d+, pg_basebackup 17\.\d+, pg_receivewal 17\.\d+, mariadb-dump 11\.8\.\d+, mariadb 11\.8\.\d+$/,
    trips: [...POSTGRES(16), { name: 'PostgreSQL, custom format, older server', run: (desk) => oneDatabase(desk, 15) }, MARIADB, { name: 'TimescaleDB', run: timescale }],
  },
};

const folder = mkdtempSync(join(tmpdir(), 'hf-image-'));
const done: (Outcome & { readonly image: string; readonly trip: string; readonly seconds: number })[] = [];
const built: string[] = [];
let podman: PrivatePodman;

beforeAll(async () => {
  podman = await startPodman({ root: ROOT, folder, hostAddress: '127.0.0.1' });
}, 60_000);
afterAll(async () => {
  await podman?.stop();
  rmSync(folder, { recursive: true, force: true });
  if (done.length > 0) console.log([...built, ...table()].join('\n'));
}, 60_000);

describe.each((IS_WHOLE ? ['bookworm', 'trixie'] : ['bookworm']) as Release[])('the worker image on Debian %s', (release) => {
  let desk: ImageDesk;
  beforeAll(async () => {
    const image = await buildWorkerImage(podman, ROOT, release);
    built.push(`${release}: ${Math.round(image.bytes / 1e6)} MB`);
    desk = { podman, release, image, label: folder };
  }, 300_000);

  it('holds the command line and every client program, and says which versions (F1)', async () => {
    const person = new Contained(desk, {});
    expect((await person.do(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
    // No vault yet: a warning.
    const { stdout } = await person.run(['doctor', '--no-probe', '--json']);
    const rows = stdout.trim().split('\n').map((line) => JSON.parse(line) as { check?: string; result: string; seen: string });
    const found = rows.find(({ check }) => check === 'has client programs');
    expect(found).toMatchObject({ result: 'ok', seen: expect.stringMatching(TRIPS[release].programs) as string });
    built.push(`${release}: ${found?.seen}`);
  }, 60_000);

  it('starts the worker of the stack when nobody says otherwise, and that misses its task', async () => {
    await expect(podman.run(['run', '--rm', '--network', 'none', '--read-only', '--label', `holdfast.rig=${folder}`, desk.image.name])).rejects.toMatchObject({ code: 2, stdout: expect.stringMatching(/"code":"config-invalid".*HOLDFAST_RUN_ID/) as string });
  }, 60_000);

  it.each(TRIPS[release].trips.filter(({ isSmoke }) => IS_WHOLE || isSmoke))('backs up what is then destroyed, and restores it row by row: $name (R1)', async ({ name, run }) => {
    const begin = Date.now();
    const outcome = await run(desk);
    done.push({ ...outcome, image: release, trip: name, seconds: (Date.now() - begin) / 1000 });
  }, 240_000);
});

function table(): string[] {
  const rows = done.map(({ image, trip, server, client, bytes, seconds, compared }) => [image, trip, server, client, `${(bytes / 1e6).toFixed(1)} MB`, `${seconds.toFixed(0)} s`, compared]);
  return [['image', 'round trip', 'server', 'program', 'backup', 'time', 'found equal'], ['---', '---', '---', '---', '---', '---', '---'], ...rows].map((row) => `| ${row.join(' | ')} |`);
}
