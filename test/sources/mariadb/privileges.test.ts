import { grantsFor, grantsToSeeAll, missingPrivileges } from '../../../lib/sources/mariadb/privileges.ts';
import { mismatch, serverVersionOf } from '../../../lib/sources/mariadb/client.ts';

const OLD = serverVersionOf('10.11.19-MariaDB-0+deb12u1')!;
const NEW = serverVersionOf('11.4.2-MariaDB')!;
const MYSQL = serverVersionOf('8.0.36')!;
const all = 'SELECT, SHOW VIEW, TRIGGER, EVENT';
const missing = (lines: readonly string[], database = 'shop', server = OLD) => missingPrivileges(lines, database, server).map(({ privilege }) => privilege);

describe('what a user may not see of a database (S11)', () => {
  it.each([
    ['everything', ['GRANT ALL PRIVILEGES ON *.* TO `b`@`%` WITH GRANT OPTION'], 'shop', []],
    ['just what is needed', ['GRANT USAGE ON *.* TO `b`@`%`', `GRANT ${all} ON \`shop\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON `mysql`.`proc` TO `b`@`%`'], 'shop', []],
    ['it of another database', [`GRANT ${all} ON \`shop2\`.* TO \`b\`@\`%\``], 'shop', ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT', 'routines']],
    ['one table alone', ['GRANT SELECT ON `shop`.`orders` TO `b`@`%`', 'GRANT SELECT ON `mysql`.`proc` TO `b`@`%`'], 'shop', ['SELECT', 'SHOW VIEW', 'TRIGGER', 'EVENT']],
    ['one column alone', ['GRANT SELECT (`id`), SHOW VIEW ON `shop`.* TO `b`@`%`', 'GRANT SELECT ON *.* TO `b`@`%`'], 'shop', ['TRIGGER', 'EVENT']],
    ['a pattern that fits', [`GRANT ${all} ON \`sh%\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON `mysql`.* TO `b`@`%`'], 'shop', []],
    ['a pattern whose dot is none', [`GRANT ${all} ON \`s.op\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON *.* TO `b`@`%`'], 'shop', ['SHOW VIEW', 'TRIGGER', 'EVENT']],
    ['an underscore that is meant', [`GRANT ${all} ON \`my\\_shop\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON *.* TO `b`@`%`'], 'myxshop', ['SHOW VIEW', 'TRIGGER', 'EVENT']],
    ['an underscore that is any letter', [`GRANT ${all} ON \`my_shop\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON *.* TO `b`@`%`'], 'myxshop', []],
    ['a name with backticks', [`GRANT ${all} ON \`a\`\`b\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON *.* TO `b`@`%`'], 'a`b', []],
    ['everything, less what was revoked in part', ['GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON *.* TO `b`@`%`', 'REVOKE SELECT ON `shop`.* FROM `b`@`%`'], 'shop', ['SELECT']],
  ])('when it was granted %s', (_what, lines, database, wanted) => {
    expect(missing(lines, database)).toEqual(wanted);
  });

  it('is told with the statement that gives it, quoted, by the version of the server', () => {
    const lacks = missingPrivileges([], 'my_shop', OLD);
    expect(grantsFor(lacks, 'my_shop', "o'neil@10.%", OLD)).toEqual(["GRANT SELECT, SHOW VIEW, TRIGGER, EVENT ON `my\\_shop`.* TO 'o\\'neil'@'10.%';", "GRANT SELECT ON `mysql`.`proc` TO 'o\\'neil'@'10.%';"]);
    const routines = lacks.slice(-1);
    expect([NEW, MYSQL].map((server) => grantsFor(routines, 'shop', 'b@%', server))).toEqual([["GRANT SHOW CREATE ROUTINE ON *.* TO 'b'@'%';"], ["GRANT SHOW_ROUTINE ON *.* TO 'b'@'%';"]]);
  });

  it('of routines is what the version of the server says', () => {
    expect([OLD, NEW, MYSQL].map((server) => missing([`GRANT ${all} ON \`shop\`.* TO \`b\`@\`%\``, 'GRANT SHOW_ROUTINE ON *.* TO `b`@`%`'], 'shop', server))).toEqual([[], [], []]);
    expect(missing([`GRANT ${all} ON \`shop\`.* TO \`b\`@\`%\``, 'GRANT SELECT ON `mysql`.* TO `b`@`%`'], 'shop', MYSQL)).toEqual(['routines']);
  });
});

describe('whether a user sees every database (S11)', () => {
  const everything = [`GRANT SHOW DATABASES, ${all} ON *.* TO 'b'@'%';`];
  it.each([
    ['by SHOW DATABASES', ['GRANT SHOW DATABASES ON *.* TO `b`@`%`'], []],
    ['by SELECT on everything', ['GRANT SELECT, PROCESS ON *.* TO `b`@`%`'], []],
    ['by all privileges', ['GRANT ALL PRIVILEGES ON *.* TO `b`@`%` WITH GRANT OPTION'], []],
    ['by no grant at all', [], everything],
    ['by the grants of one database', ['GRANT USAGE ON *.* TO `b`@`%`', `GRANT ${all} ON \`shop\`.* TO \`b\`@\`%\``], everything],
    ['by a pattern that fits every name', ['GRANT ALL PRIVILEGES ON `%`.* TO `b`@`%`'], everything],
    ['by a global privilege that shows nothing', ['GRANT PROCESS ON *.* TO `b`@`%`'], everything],
    ['less the system database that was revoked', ['GRANT SELECT ON *.* TO `b`@`%`', 'REVOKE SELECT ON `mysql`.* FROM `b`@`%`'], []],
    ['less one that was revoked and is seen all the same', ['GRANT SELECT ON *.* TO `b`@`%`', 'REVOKE SELECT ON `shop`.* FROM `b`@`%`'], []],
    ['less one that was revoked and is hidden', ['GRANT SELECT ON *.* TO `b`@`%`', 'REVOKE SELECT ON `crm`.* FROM `b`@`%`'], [`GRANT ${all} ON \`crm\`.* TO 'b'@'%';`]],
  ])('%s', (_how, lines, wanted) => {
    expect(grantsToSeeAll(lines, ['shop'], 'b@%', OLD)).toEqual(wanted);
  });
});

describe('a client and a server (S11)', () => {
  it.each([
    ['10.11.19-MariaDB', '10.11.3-MariaDB-log', undefined],
    ['11.4.2-MariaDB', '10.6.1-MariaDB', undefined],
    ['10.11.19-MariaDB', '11.4.2-MariaDB', /an older client/],
    ['8.0.36', '8.4.0', /an older client/],
    ['8.4.0', '8.0.36', undefined],
    ['8.0.36', '10.11.19-MariaDB', /leave out what only MariaDB has/],
    ['10.11.19-MariaDB', '8.0.36', undefined],
    ['10.11.19-MariaDB', '9.1.0', /trusted with MySQL up to 8\.4/],
  ])('%s and %s', (client, server, wanted) => {
    const why = mismatch(serverVersionOf(client)!, serverVersionOf(server)!);
    if (wanted === undefined) expect(why).toBeUndefined();
    else expect(why).toMatch(wanted);
  });
});
