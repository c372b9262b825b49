import { RowJoiner } from '../../../lib/sources/mariadb/row-joiner.ts';

function joined(lines: readonly string[]): string {
  const joiner = new RowJoiner();
  return Buffer.concat([...lines.map((line) => joiner.add(Buffer.from(line))), joiner.flush()]).toString();
}

describe('rows of a dump on their way back (S11)', () => {
  it('become one statement for each table, and everything else passes in its place', () => {
    expect(joined([
      '/*!40000 ALTER TABLE `a` DISABLE KEYS */;', "INSERT INTO `a` VALUES (1,'x);');", "INSERT INTO `a` VALUES (2,'INSERT INTO `a` VALUES (');", '/*!40000 ALTER TABLE `a` ENABLE KEYS */;',
      'INSERT INTO `b` (`c`,` VALUES (`) VALUES (1,2);', 'INSERT INTO `b` (`c`,` VALUES (`) VALUES (3,4);', 'INSERT INTO `b` (`c`) VALUES (5);', 'INSERT INTO `a` VALUES (3,NULL);', 'COMMIT;',
    ])).toBe([
      '/*!40000 ALTER TABLE `a` DISABLE KEYS */;', "INSERT INTO `a` VALUES (1,'x);'),", "(2,'INSERT INTO `a` VALUES (');", '/*!40000 ALTER TABLE `a` ENABLE KEYS */;',
      'INSERT INTO `b` (`c`,` VALUES (`) VALUES (1,2),', '(3,4);', 'INSERT INTO `b` (`c`) VALUES (5);', 'INSERT INTO `a` VALUES (3,NULL);', 'COMMIT;', '',
    ].join('\n'));
  });

  it('stay within a MiB to a statement, and a larger row has one of its own', () => {
    const row = (id: number, length: number) => `INSERT INTO \`t\` VALUES (${id},'${'x'.repeat(length)}');`;
    const text = joined([row(1, 400_000), row(2, 400_000), row(3, 400_000), row(4, 3_000_000), row(5, 10)]);
    const statements = text.split(/;\n/).filter(Boolean);
    expect(statements.map((statement) => (statement.match(/^\(|\(\d,/gm) ?? []).length)).toEqual([2, 1, 1, 1]);
    expect(text.match(/\(\d,/g)).toEqual(['(1,', '(2,', '(3,', '(4,', '(5,']);
  });

  it('that do not end on their line pass as they are', () => {
    const lines = ['INSERT INTO `t` VALUES', '(1),', '(2);', 'INSERT INTO `t` VALUES (3),'];
    expect(joined(lines)).toBe(`${lines.join('\n')}\n`);
  });
});
