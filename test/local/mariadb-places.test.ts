import { parseMariadbUrl } from '../../lib/local/mariadb-places.ts';

describe('the URL of a MariaDB or MySQL database', () => {
  it.each([
    ['mysql://me@db.internal/app', { type: 'mysql', database: 'app', connection: { host: 'db.internal', port: 3306, user: 'me' } }],
    ['mariadb://m%40e@[::1]:3307/my%20app?ssl-mode=verify-full&ssl-root-cert=/ca.pem', { type: 'mariadb', database: 'my app', connection: { host: '::1', port: 3307, user: 'm@e', sslMode: 'verify-full', sslRootCert: '/ca.pem' } }],
    ['mysql://me@localhost/app?socket=/run/mysqld/mysqld.sock', { type: 'mysql', database: 'app', connection: { host: '/run/mysqld/mysqld.sock', port: 3306, user: 'me' } }],
    ['mysql://me@db', { type: 'mysql', database: '', connection: { host: 'db', port: 3306, user: 'me' } }],
  ])('%s is read', (text, wanted) => expect(parseMariadbUrl(text)).toEqual(wanted));

  it.each(['mysql://db/app', 'mysql://me@db/app/b', 'mysql://me@db/app?ssl-mode=verify-ca', 'mysql://me@db/app?charset=latin1'])('%s is refused with what is wanted', (text) => {
    expect(() => parseMariadbUrl(text)).toThrow(/wanted mysql:\/\/USER@HOST:PORT\/DATABASE/);
  });
});
