import { ListSecretsCommand } from '@aws-sdk/client-secrets-manager';
import { sourceContract } from '../../contract/source.ts';
import { jsonFault, startFaultProxy } from '../../support/servers/fault-proxy.ts';
import type { FaultProxy } from '../../support/servers/fault-proxy.ts';
import { startMinistack } from '../../support/servers/ministack.ts';
import type { Ministack } from '../../support/servers/ministack.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { putParameter, putSecret, servicesOf, sourceFor } from './desk.ts';
import type { Services } from './desk.ts';

const SECRET = 'kept-from-everybody';
const temporary = temporaryFolder();
let server: Ministack;
let proxy: FaultProxy;
let services: Services;
beforeAll(async () => {
  server = await startMinistack();
  proxy = await startFaultProxy(server.endpoint);
  services = servicesOf(server, proxy.endpoint);
  for (let index = 0; index < 20; index++) await putSecret(services, `good/${index}`, `${SECRET} ${index}`);
  await putParameter(services, '/denied/one', SECRET, { type: 'SecureString' });
  proxy.script([{ action: /GetParameterHistory$/, effect: jsonFault(400, 'AccessDeniedException', 'User is not authorized to perform: ssm:GetParameterHistory') }]);
});
afterAll(async () => {
  services?.close();
  await proxy?.stop();
  await server?.stop();
});

sourceContract('configs', () => ({
  temporaryFolder: temporary,
  secrets: [SECRET],
  state: async () => ((await services.secrets.send(new ListSecretsCommand({ MaxResults: 100 }))).SecretList ?? []).map(({ Name, LastChangedDate }) => [Name, LastChangedDate?.getTime()]),
  good: () => sourceFor(services, { secrets: ['good/*'] }),
  failing: () => sourceFor(services, { secrets: ['good/*'], parameters: ['/denied/*'] }),
  refused: () => sourceFor(services, { secrets: ['none'] }),
}));

it('tells of a denied parameter in the words of the service, with the permission that is missing', async () => {
  const read = async () => {
    for await (const object of sourceFor(services, { parameters: ['/denied/*'] }).objects(new AbortController().signal)) await object.open();
  };
  await expect(read()).rejects.toMatchObject({
    code: 'permission',
    message: 'The parameter /denied/one could not be read: AccessDeniedException: User is not authorized to perform: ssm:GetParameterHistory.',
    nextStep: expect.stringContaining('ssm:GetParameterHistory'),
  });
});
