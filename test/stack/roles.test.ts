import { PACK_CLASSES } from '../../lib/stack/vault-prefixes.ts';
import { stackPlanId, stackWriterId } from '../../lib/settings/ids.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import { REGION, arnOf, bucketPolicy, onlyOne, roleOf } from '../support/stack/deployed-names.ts';
import { EXAMPLE, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf({ yaml: EXAMPLE });
const bucketId = onlyOne(template, 'AWS::S3::Bucket');
const bucket = arnOf(template, bucketId);
const rules = bucketPolicy(template, bucketId);
const vaultKey = arnOf(template, Object.keys(template.Resources).find((id) => /^Vaultmain.*Key/.test(id)) as string);
const writer = stackWriterId('shop');
const orders = stackPlanId('shop', 'orders');
const media = stackPlanId('shop', 'media');

const PUT = { 's3:if-none-match': '*', 'aws:SecureTransport': 'true' };
const TLS = { 'aws:SecureTransport': 'true' };
const VIA_S3 = { 'kms:ViaService': `s3.${REGION}.amazonaws.com`, 'kms:EncryptionContext:aws:s3:arn': bucket };

/** In S3 the bucket's rules decide as well. */
function can(description: string, action: string, name: string, context: Readonly<Record<string, string>> = action === 's3:PutObject' ? PUT : TLS): boolean {
  const role = roleOf(template, description);
  return isAllowed({ action, resource: name === '' ? bucket : `${bucket}/${name}`, principal: role.arn, context }, { identity: role.statements, resource: rules });
}

function canUseKey(description: string, action: string, context: Readonly<Record<string, string>>): boolean {
  const role = roleOf(template, description);
  return isAllowed({ action, resource: vaultKey, principal: role.arn, context }, { identity: role.statements });
}

const WRITER = 'backups of plan orders';
const RESTORER = 'restores to orders-copy';
const VERIFIER = 'reads backups in vault main back';
const PRUNER = 'removes what retention and prune have ruled';
const CREATOR = 'makes vaults while a stack is deployed';
const MONITOR = 'looks after runs, queue, freshness and alerts';

const pack = (packClass: string, of: string = writer) => `packs/${packClass}/${of}/ab/abcdef`;

describe('the roles of the design (C6, K7), decided by their policies and the bucket\'s', () => {
  test.each([
    ...PACK_CLASSES.map((name) => [WRITER, 's3:PutObject', pack(name), true] as const),
    [WRITER, 's3:PutObject', `index/${writer}/run-1`, true],
    [WRITER, 's3:PutObject', `snapshots/${orders}/b`, true],
    [WRITER, 's3:PutObject', `refs/${orders}/b.0`, true],
    [WRITER, 's3:PutObject', `partial/${orders}/r-1`, true],
    [WRITER, 's3:PutObject', `wal/${orders}/sys/1/seg`, true],
    [WRITER, 's3:ListBucket', '', true],
    ...['holdfast.json', 'keys/1/slot.json', `index/${writer}/x`, pack('meta'), `refs/${media}/b.0`, `partial/${media}/r`, 'condemned/p.m', 'damaged/p', 'verdicts/b/v', `snapshots/${orders}/b`, `wal/${orders}/x`].map((name) => [WRITER, 's3:GetObject', name, true] as const),
    // A stolen writer reads no data, not even its own, and nothing of other plans but metadata.
    ...['hot', 'warm', 'cold'].map((name) => [WRITER, 's3:GetObject', pack(name), false] as const),
    [WRITER, 's3:GetObject', `snapshots/${media}/b`, false],
    [WRITER, 's3:PutObject', `snapshots/${media}/b`, false],
    [WRITER, 's3:PutObject', `refs/${media}/b.0`, false],
    [WRITER, 's3:PutObject', pack('hot', '0'.repeat(32)), false],
    ...['holdfast.json', 'keys/1/x.json', 'verdicts/b/v', 'condemned/p.m', 'removed/p/b', 'holds/h', 'damaged/p', 'coverage/c'].map((name) => [WRITER, 's3:PutObject', name, false] as const),
    [WRITER, 's3:DeleteObject', pack('hot'), false],

    ...[pack('hot'), pack('meta'), `snapshots/${orders}/b`, `snapshots/${media}/b`, 'keys/1/x.json', 'holds/h'].map((name) => [RESTORER, 's3:GetObject', name, true] as const),
    [RESTORER, 's3:PutObject', `snapshots/${orders}/b`, false],
    [RESTORER, 's3:PutObject', 'verdicts/b/v', false],
    [RESTORER, 's3:DeleteObject', pack('hot'), false],

    ...[pack('hot'), pack('cold'), `snapshots/${media}/b`].map((name) => [VERIFIER, 's3:GetObject', name, true] as const),
    [VERIFIER, 's3:PutObject', 'verdicts/b/v', true],
    [VERIFIER, 's3:PutObject', 'damaged/p', true],
    [VERIFIER, 's3:PutObject', 'coverage/c', true],
    [VERIFIER, 's3:DeleteObject', 'coverage/c', false],
    // It heals: new packs beside those of this stack, and what replaced what. It overwrites nothing and makes no backup.
    ...[pack('hot'), pack('meta'), `index/${writer}/x`, `refs/${orders}/b.1`, `refs/${media}/b.1`].map((name) => [VERIFIER, 's3:PutObject', name, true] as const),
    ...[pack('hot', '0'.repeat(32)), `index/${'0'.repeat(32)}/x`, 'holdfast.json', 'keys/1/x.json', 'condemned/p.m', 'removed/p/b', `partial/${orders}/r`, 'kit/k', 'holds/h'].map((name) => [VERIFIER, 's3:PutObject', name, false] as const),
    [VERIFIER, 's3:DeleteObject', pack('hot'), false],
    [VERIFIER, 's3:PutObject', `snapshots/${orders}/b`, false],
    [VERIFIER, 's3:DeleteObject', 'verdicts/b/v', false],

    ...['condemned/p', pack('hot'), `snapshots/${orders}/b`, `index/${writer}/x`].map((name) => [PRUNER, 's3:DeleteObject', name, true] as const),
    [PRUNER, 's3:DeleteObject', 'coverage/c', true],
    [PRUNER, 's3:PutObject', 'coverage/c', false],
    [PRUNER, 's3:PutObject', 'condemned/p.m', true],
    [PRUNER, 's3:GetObject', pack('meta'), true],
    ...['hot', 'warm', 'cold'].map((name) => [PRUNER, 's3:GetObject', pack(name), false] as const),
    [PRUNER, 's3:PutObject', pack('hot'), false],
    ...['holdfast.json', 'keys/1/x.json', 'holds/h', 'released/h', 'audit/a', 'evidence/e', 'kit/k'].map((name) => [PRUNER, 's3:DeleteObject', name, false] as const),

    [CREATOR, 's3:PutObject', 'holdfast.json', true],
    [CREATOR, 's3:PutObject', 'keys/1/x.json', true],
    [CREATOR, 's3:PutObject', 'kit/holdfast-kit-01234567.mjs', true],
    [CREATOR, 's3:GetObject', 'kit/README-01234567.txt', true],
    [WRITER, 's3:PutObject', 'kit/holdfast-kit-01234567.mjs', false],
    [CREATOR, 's3:PutObject', pack('hot'), false],
    [CREATOR, 's3:GetObject', pack('meta'), false],
    [CREATOR, 's3:DeleteObject', 'holdfast.json', false],

    [MONITOR, 's3:GetObject', `snapshots/${orders}/b`, true],
    [MONITOR, 's3:GetObject', pack('hot'), false],
    [MONITOR, 's3:GetObject', pack('meta'), false],
    [MONITOR, 's3:PutObject', 'verdicts/b/v', false],
    [MONITOR, 's3:DeleteObject', `snapshots/${orders}/b`, false],
  ] as const)('%s: %s on %s is %s', (description, action, name, expected) => {
    expect(can(description, action, name)).toBe(expected);
  });

  test.each([
    [WRITER, 'all', true], [WRITER, 'meta', false], [RESTORER, 'all', true], [VERIFIER, 'all', true],
    [PRUNER, 'meta', true], [PRUNER, 'all', false], [MONITOR, 'meta', true], [MONITOR, 'all', false],
  ] as const)('%s opens key slots of scope %s: %s', (description, scope, expected) => {
    expect(canUseKey(description, 'kms:Decrypt', { 'kms:EncryptionContext:holdfast:scope': scope })).toBe(expected);
  });

  test.each([[WRITER, true], [RESTORER, false], [VERIFIER, true], [PRUNER, true], [MONITOR, false]] as const)('%s has S3 encrypt new objects: %s', (description, expected) => {
    expect(canUseKey(description, 'kms:GenerateDataKey', VIA_S3)).toBe(expected);
  });

  test('the vault\'s key works through S3 for this bucket alone, and never without a context', () => {
    for (const description of [WRITER, RESTORER, PRUNER, MONITOR]) {
      expect(canUseKey(description, 'kms:Decrypt', VIA_S3)).toBe(true);
      expect(canUseKey(description, 'kms:Decrypt', { ...VIA_S3, 'kms:EncryptionContext:aws:s3:arn': 'arn:aws:s3:::another' })).toBe(false);
      expect(canUseKey(description, 'kms:Decrypt', {})).toBe(false);
    }
  });
});
