import { chooseVault } from '../../lib/local/vault-choice.ts';
import { describePlace, parseS3Place } from '../../lib/local/s3-place.ts';
import type { Environment } from '../../lib/local/places.ts';
import { loadConfig } from '../../lib/config/load-config.ts';
import { initialConfig } from '../../lib/config/initial-config.ts';

const environment = (variables: Record<string, string> = {}): Environment => ({ variables, home: '/home/me', workingFolder: '/desk', temporaryFolder: '/tmp' });

describe('a vault in a bucket, named on the command line', () => {
  it.each([
    ['s3://backups', { bucket: 'backups', prefix: '' }],
    ['s3://backups/', { bucket: 'backups', prefix: '' }],
    ['s3://my.backups-1/team/vault/', { bucket: 'my.backups-1', prefix: 'team/vault' }],
    ['s3://b-1/v?region=eu-central-1', { bucket: 'b-1', prefix: 'v', region: 'eu-central-1' }],
    ['s3://b-1/v?endpoint=https://s3.example.com:9000/&path-style=false&ca-file=ca.pem', { bucket: 'b-1', prefix: 'v', endpoint: 'https://s3.example.com:9000', pathStyle: false, caFile: '/desk/ca.pem' }],
  ])('reads %s', (text, wanted) => {
    expect(parseS3Place(text, '/desk')).toEqual(wanted);
  });

  it.each([
    ['s3://', 'the bucket is ""'],
    ['s3://UPPER/x', 'the bucket is "UPPER"'],
    ['s3://b-1//x', 'the prefix is "/x"'],
    ['s3://b-1/a//b', 'the prefix is "a//b"'],
    ['s3://b-1/../x', 'the prefix is "../x"'],
    ['s3://b-1/sp ace', 'the prefix is "sp ace"'],
    ['s3://b-1/x?regoin=eu', 'no parameter regoin'],
    ['s3://b-1/x?endpoint=example.com', 'the endpoint is "example.com"'],
    ['s3://b-1/x?path-style=yes', 'path-style is "yes"'],
  ])('refuses %s: %s', (text, says) => {
    expect(() => parseS3Place(text, '/desk')).toThrow(says);
  });

  it('takes no credentials, and does not repeat them', () => {
    for (const text of ['s3://AKIA:hunter2@bucket/x', 's3://bucket/x?endpoint=https://me:hunter2@example.com']) {
      expect(() => parseS3Place(text, '/desk')).toThrow('holds credentials');
      expect(() => parseS3Place(text, '/desk')).not.toThrow('hunter2');
    }
  });

  it('is chosen by --vault before HOLDFAST_VAULT, with the key that was named', async () => {
    const chosen = await chooseVault({ vault: 's3://one-bucket/v?region=eu-west-1', keyFile: 'k' }, environment({ HOLDFAST_VAULT: 's3://two-bucket/v' }), undefined);
    expect(chosen).toEqual({ directory: 's3://one-bucket/v', s3: { bucket: 'one-bucket', prefix: 'v', region: 'eu-west-1' }, key: { kind: 'key-file', path: '/desk/k' }, keyFrom: '--key-file', isDefault: false });
    expect(await chooseVault({}, environment({ HOLDFAST_VAULT: 's3://two-bucket/v' }), undefined)).toMatchObject({ directory: 's3://two-bucket/v', isDefault: false });
  });

  it('has its key and its endpoint from holdfast.yaml, where the same bucket stands there', async () => {
    const text = initialConfig({ vaultBucket: { bucket: 'one-bucket', prefix: 'v', endpoint: 'http://127.0.0.1:9', pathStyle: true }, key: { kind: 'key-file', path: '/keys/one' } });
    const config = loadConfig(text, '/desk/holdfast.yaml', { home: '/home/me' });
    const s3 = { bucket: 'one-bucket', prefix: 'v', endpoint: 'http://127.0.0.1:9', pathStyle: true };
    for (const vault of ['main', 's3://one-bucket/v', undefined]) expect(await chooseVault({ vault }, environment(), config)).toMatchObject({ directory: 's3://one-bucket/v', s3, key: { kind: 'key-file', path: '/keys/one' } });
    expect(await chooseVault({ vault: 's3://one-bucket/v?endpoint=http://127.0.0.1:8' }, environment(), config)).toMatchObject({ s3: { ...s3, endpoint: 'http://127.0.0.1:8' } });
    expect(await chooseVault({ vault: 's3://other-bucket' }, environment(), config)).toMatchObject({ s3: { bucket: 'other-bucket', prefix: '' }, key: { path: '/home/me/.config/holdfast/key' } });
  });

  it('is called by bucket and prefix', () => {
    expect(describePlace({ bucket: 'b-1', prefix: '' })).toBe('s3://b-1');
    expect(describePlace({ bucket: 'b-1', prefix: 'a/b' })).toBe('s3://b-1/a/b');
  });
});
