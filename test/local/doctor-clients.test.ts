import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientPrograms } from '../../lib/local/doctor-clients.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

const ask = (variables: Record<string, string> = { PATH: folder }) => clientPrograms({ variables, home: folder, workingFolder: folder, temporaryFolder: folder });
const program = (name: string, says: string, end = 0) => writeFileSync(join(folder, name), `#!/bin/sh\necho '${says}'\nexit ${end}\n`, { mode: 0o755 });

describe('which client programs doctor shows, whether or not a plan needs them (F1)', () => {
  it('says nothing where there are none', async () => {
    expect(await ask()).toBeUndefined();
    expect(await ask({})).toBeUndefined();
  });

  it('shows each with its own version, and MariaDB\'s once where it has two names', async () => {
    program('pg_dump', 'pg_dump (PostgreSQL) 17.5 (Debian 17.5-1)');
    program('pg_receivewal', 'pg_receivewal (PostgreSQL) 16.1');
    program('mariadb-dump', 'mariadb-dump from 11.8.3-MariaDB, client 10.19 for linux');
    program('mysqldump', 'mysqldump from 11.8.3-MariaDB, client 10.19 for linux');
    expect(await ask()).toEqual({ result: 'ok', seen: 'pg_dump 17.5, pg_receivewal 16.1, mariadb-dump 11.8.3' });
  });

  it('shows MySQL\'s by their names', async () => {
    program('mysqldump', 'mysqldump  Ver 8.0.36 for Linux');
    expect(await ask()).toEqual({ result: 'ok', seen: 'mysqldump 8.0.36' });
  });

  it('asks those in the folder that the environment names', async () => {
    program('psql', 'psql (PostgreSQL) 18.1');
    expect(await ask({ PATH: '/nowhere', HOLDFAST_POSTGRES_BIN: folder })).toEqual({ result: 'ok', seen: 'psql 18.1' });
  });

  it('warns of one that does not run or says something else, and shows the others', async () => {
    program('pg_dump', 'error while loading shared libraries', 127);
    program('psql', 'psql (PostgreSQL) 17.5');
    program('mariadb', 'hello');
    expect(await ask()).toEqual({ result: 'warning', seen: `pg_dump (${join(folder, 'pg_dump')}) does not say its version, psql 17.5, mariadb (${join(folder, 'mariadb')}) does not say its version`, nextStep: expect.stringContaining('Install') as string });
  });
});
