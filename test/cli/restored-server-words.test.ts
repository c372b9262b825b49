import { handlingLines } from '../../lib/cli/commands/restore-data-directory.ts';

const SERVER = { state: 'running', port: 5433, pid: 7, log: '/srv/pg/holdfast-recovery.log', socket: '/srv/pg' } as const;
const program = { path: '/usr/lib/postgresql/15/bin/postgres', version: { major: 15, text: '15.4' } };

it('a restored server is left with commands that log in, stop it, and start it on its own port, as a user that PostgreSQL obeys (R4)', () => {
  const said = (owner: Parameters<typeof handlingLines>[2]['owner'], server: Parameters<typeof handlingLines>[0] = SERVER) => handlingLines(server, '/srv/pg', { owner, program }).join('\n');
  expect(said({ uid: 101, gid: 102, name: 'postgres' })).toMatch(/log in: runuser -u postgres -- psql -h \/srv\/pg -p 5433 -d postgres[^]*local all all peer[^]*stop: runuser -u postgres -- \/usr\/lib\/postgresql\/15\/bin\/pg_ctl -D \/srv\/pg stop; [^]*-o '-p 5433 -c listen_addresses=127\.0\.0\.1' -l \S+ start/);
  expect(said({ uid: 101, gid: 102, name: 'uid 101' })).toContain('stop: setpriv --reuid=101 --regid=102 --clear-groups /usr');
  expect(said(undefined)).toContain('stop: /usr/lib/postgresql/15/bin/pg_ctl');
  // A socket needs a path of 107 bytes at most.
  expect(said(undefined, { state: 'running', port: 5433, pid: 7, log: '/l' })).toMatch(/log in: psql -h 127\.0\.0\.1 -p 5433 [^]*pg_hba\.conf allows \(/);
  expect(said(undefined, { state: 'shut-down', port: 5433, log: '/l' })).not.toMatch(/stop|log in/);
});
