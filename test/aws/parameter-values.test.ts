import { GetParameterCommand, GetParameterHistoryCommand } from '@aws-sdk/client-ssm';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { ParameterValues } from '../../lib/aws/parameter-values.ts';

const WHEN = new Date('2026-11-28T12:00:00Z');
const SIGNAL = new AbortController().signal;

/** As SSM answers when an older version lies under a key that is gone: nothing that would decrypt it is answered. */
function serviceWith(versions: readonly number[], current = 2): Pick<SSMClient, 'send'> {
  const send = async (command: { readonly input: { readonly WithDecryption?: boolean } }) => {
    if (command instanceof GetParameterCommand) return { Parameter: { Name: '/shop/key', Type: 'SecureString', Value: command.input.WithDecryption === true ? 'secret' : 'sealed', Version: current, LastModifiedDate: WHEN } };
    if (!(command instanceof GetParameterHistoryCommand)) return { TagList: [] };
    if (command.input.WithDecryption === true) throw Object.assign(new Error('the key is disabled'), { name: 'InvalidKeyId' });
    return { Parameters: versions.map((Version) => ({ Version, Type: 'SecureString', Value: 'sealed', Description: `version ${Version}`, KeyId: `key-${Version}` })) };
  };
  return { send } as unknown as Pick<SSMClient, 'send'>;
}

describe('a parameter whose older versions lie under a key that is gone (S8)', () => {
  it('is read in its newest version, with what is known of that one', async () => {
    expect(await new ParameterValues(serviceWith([1, 2])).read('/shop/key', SIGNAL)).toMatchObject({ version: '2', modified: WHEN.getTime(), content: Buffer.from('secret'), facts: { type: 'SecureString', description: 'version 2', keyId: 'key-2' } });
  });

  it('is no value when its history does not tell of the version that was read', async () => {
    await expect(new ParameterValues(serviceWith([1, 3])).read('/shop/key', SIGNAL)).rejects.toMatchObject({ code: 'source-failed', message: expect.stringContaining('does not tell of its version 2') });
    expect(await new ParameterValues(serviceWith([])).read('/shop/key', SIGNAL)).toBe('absent');
  });
});
