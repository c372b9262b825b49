import { CreateKeyCommand, DisableKeyCommand, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import type { KMSClient } from '@aws-sdk/client-kms';
import { kmsClient } from '../../lib/aws/clients.ts';
import { keysAtRisk } from '../../lib/aws/key-states.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import type { Ministack } from '../support/servers/ministack.ts';

let aws: Ministack;
let kms: KMSClient;
beforeAll(async () => {
  aws = await startMinistack();
  kms = kmsClient(aws.client);
}, 60_000);
afterAll(() => aws.stop());

async function key(): Promise<string> {
  return (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
}

it('keys that are disabled, about to be deleted or gone are at risk, and no others', async () => {
  const [good, disabled, doomed] = [await key(), await key(), await key()];
  await kms.send(new DisableKeyCommand({ KeyId: disabled }));
  await kms.send(new ScheduleKeyDeletionCommand({ KeyId: doomed, PendingWindowInDays: 7 }));
  const places = Object.fromEntries(Object.entries({ good, disabled, doomed, gone: `${good.slice(0, -36)}00000000-0000-0000-0000-000000000000` }).map(([name, keyArn]) => [name, { bucket: name, prefix: '', keyArn }]));
  const found = await keysAtRisk(places, kms, () => undefined);
  expect(found.map(({ vault, problem }) => `${vault} ${problem.replace(/\d{4}-\d\d-\d\d/, 'DATE')}`).sort()).toEqual(['disabled is disabled', 'doomed will be deleted on DATE', 'gone is not there']);
});

it('a key that may not be looked at is told and no alarm', async () => {
  const told: string[] = [];
  const denied = { send: () => Promise.reject(Object.assign(new Error('no'), { name: 'AccessDeniedException' })) } as unknown as KMSClient;
  expect(await keysAtRisk({ away: { bucket: 'b', prefix: '', keyArn: 'arn:aws:kms:x' } }, denied, (message) => told.push(message))).toEqual([]);
  expect(told).toHaveLength(1);
});
