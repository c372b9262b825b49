import { EXPLAINED_WILDCARDS, flat } from '../../lib/stack/explained-wildcards.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { roleOf } from '../support/stack/deployed-names.ts';
import { templateOf } from '../support/stack/synthesize.ts';

const plan = (name: string, fields: string) => `  ${name}: { source: { type: s3, ${fields} }, policy: media }\n`;
const template = templateOf({
  yaml: `vaults: { main: { aws: {} } }
plans:
${plan('some', 'bucket: shop-media, prefix: "uploads/"')}${plan('all', 'bucket: shop-logs, tags: false')}${plan('elsewhere', 'bucket: theirs, endpoint: "https://s3.example.com", access-key-id: "${secret:theirs/id}", secret-access-key: "${secret:theirs/key}"')}${plan('odd', 'bucket: odd-keys, prefix: "50%*$"')}  shop: { source: { type: set, parts: { media: { type: s3, bucket: shop-media, prefix: "images/" }, logs: { type: s3, bucket: shop-logs }, db: { type: mariadb, host: db, user: u, database: d, password: "\${secret:shop/db}" }, files: { type: files, paths: [/mnt/a] } } }, mounts: [{ path: /mnt/a, file-system: fs-0123456789abcdef0 }], policy: media }
notifications: { email: [operations@example.com] }
`,
});

/** Of the identity alone: whose bucket it is decides about the rest. */
function may(name: string, action: string, resource: string, context: Record<string, string> = {}): boolean {
  const { arn: principal, statements: identity } = roleOf(template, `backups of plan ${name}`);
  return isAllowed({ action, resource: `arn:aws:s3:::${resource}`, principal, context: { 'aws:SecureTransport': 'true', ...context } }, { identity });
}

describe('the role of a plan whose source is a bucket (S7, C6)', () => {
  test.each([
    ['some', 's3:GetObject', 'shop-media/uploads/a.jpg', true],
    ['some', 's3:GetObjectVersion', 'shop-media/uploads/a.jpg', true],
    ['some', 's3:GetObjectTagging', 'shop-media/uploads/a.jpg', true],
    ['some', 's3:GetObjectVersionTagging', 'shop-media/uploads/a.jpg', true],
    ['some', 's3:GetObject', 'shop-media/private/a.jpg', false],
    ['some', 's3:GetObject', 'shop-logs/a.log', false],
    ['some', 's3:PutObject', 'shop-media/uploads/a.jpg', false],
    ['some', 's3:DeleteObject', 'shop-media/uploads/a.jpg', false],
    ['all', 's3:GetObject', 'shop-logs/any/key', true],
    ['all', 's3:GetObjectTagging', 'shop-logs/any/key', false],
    ['all', 's3:ListBucket', 'shop-logs', true],
    ['elsewhere', 's3:GetObject', 'theirs/a', false],
    ['elsewhere', 's3:ListBucket', 'theirs', false],
  ])('plan %s: %s on %s: %s', (name, action, resource, expected) => {
    expect(may(name, action, resource)).toBe(expected);
  });

  test('lists below its prefix and nowhere else', () => {
    const list = (prefix: string) => may('some', 's3:ListBucket', 'shop-media', { 's3:prefix': prefix });
    expect([list('uploads/'), list('uploads/2026/'), list(''), list('private/')]).toEqual([true, true, false, false]);
  });

  test('a prefix with characters that mean something in policies means itself', () => {
    const { statements } = roleOf(template, 'backups of plan odd');
    const read = statements.find(({ Action }) => [Action].flat().includes('s3:GetObjectVersion'));
    expect(flat(read?.Resource)).toBe('arn:aws:s3:::odd-keys/50%<*><$>*');
  });

  test('reads the keys of a bucket elsewhere, which another plan may not', () => {
    const secrets = (name: string) => JSON.stringify(roleOf(template, `backups of plan ${name}`).statements).includes('theirs/');
    expect([secrets('elsewhere'), secrets('some')]).toEqual([true, false]);
  });

  test('a set reads what its parts read, and nothing else (P4)', () => {
    expect([may('shop', 's3:GetObject', 'shop-media/images/a.jpg'), may('shop', 's3:GetObject', 'shop-logs/a'), may('shop', 's3:GetObject', 'shop-media/uploads/a.jpg'), may('shop', 's3:GetObject', 'odd-keys/a')]).toEqual([true, true, false, false]);
    const rights = JSON.stringify(roleOf(template, 'backups of plan shop').statements);
    expect([rights.includes('shop/db'), rights.includes('elasticfilesystem:ClientMount'), rights.includes('theirs/')]).toEqual([true, true, false]);
  });

  test('every wildcard is explained', () => {
    const resources = ['some', 'all', 'odd'].flatMap((name) => roleOf(template, `backups of plan ${name}`).statements).flatMap(({ Resource }) => [Resource].flat()).map(flat).filter((resource) => /:::(?:shop|odd)-.*\*/.test(resource));
    expect(resources).toHaveLength(3);
    for (const resource of resources) expect([resource, EXPLAINED_WILDCARDS.some((row) => row.resource.test(resource.replace(':aws:', ':<AWS::Partition>:')))]).toEqual([resource, true]);
  });
});
