import { OLDER_MAJOR, startPostgres } from '../../support/servers/postgres.ts';

describe.each([15, 18] as const)('a PostgreSQL %i server for tests', (version) => {
  it('starts with password authentication, answers SQL and leaves nothing behind', async () => {
    const server = await startPostgres({ version });
    try {
      expect(await server.sql('select $1::int + 1 as two', { values: [1] })).toEqual([{ two: 2 }]);
      expect(await server.sql('show server_version')).toEqual([{ server_version: expect.stringMatching(new RegExp(`^${version === 15 ? OLDER_MAJOR : version}\\.`)) }]);
    } finally {
      await server.stop();
    }
  });
});
