import { knownSqlFailure } from '../../../lib/sources/mariadb/failures.ts';

const SAID = 'ERROR 2026 (HY000): TLS/SSL error: SSL is required, but the server does not support it';
const at = { host: 'db', port: 3306, user: 'backup' };

describe('what is said when a server of MariaDB is not encrypted (S11)', () => {
  it('names the mode that was asked for', () => {
    expect(knownSqlFailure(SAID, { ...at, sslMode: 'require' })).toMatchObject({ message: expect.stringContaining('as ssl-mode require wants it: ') as string, nextStep: expect.stringMatching(/^Check ssl-mode/) as string });
  });

  it('says where none was asked for that newer programs want it by themselves, and how to do without', () => {
    expect(knownSqlFailure(SAID, at)).toMatchObject({ message: expect.stringMatching(/want an encrypted connection by themselves[^]*db:3306: .*SSL is required/) as string, nextStep: expect.stringContaining('`ssl-mode: disable`') as string });
  });
});

describe('what is said when a server of MariaDB does not let a user in (S11)', () => {
  it('names, where no password was given, what gives one', () => {
    const words = "ERROR 1045 (28000): Access denied for user 'backup'@'localhost' (using password: NO)";
    expect(knownSqlFailure(words, at)).toMatchObject({ nextStep: expect.stringMatching(/--password-file or HOLDFAST_DATABASE_PASSWORD/) as string });
    expect(knownSqlFailure(words, { ...at, password: 'x' })?.nextStep).not.toContain('--password-file');
  });
});
