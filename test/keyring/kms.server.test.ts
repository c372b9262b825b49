import { CreateAliasCommand, CreateKeyCommand, DisableKeyCommand, KMSClient, ScheduleKeyDeletionCommand } from '@aws-sdk/client-kms';
import type { KeySlot, KmsScope } from '../../lib/keyring/key-slot.ts';
import { encodeSlot, slotName } from '../../lib/keyring/key-slot.ts';
import { createKmsWrapper, kmsUnlocker } from '../../lib/keyring/kms.ts';
import { listSlots, openSlots } from '../../lib/keyring/open-slots.ts';
import { executeRotation, planRotation } from '../../lib/keyring/rotation.ts';
import { addSlot, createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import type { Ministack } from '../support/servers/ministack.ts';
import { startMinistack } from '../support/servers/ministack.ts';
import { startMoto } from '../support/servers/moto.ts';

const repository = newHexId<RepositoryId>();
const MISSING = 'arn:aws:kms:eu-central-1:000000000000:key/00000000-0000-0000-0000-000000000000';

type Spoil = (id: string) => DisableKeyCommand | ScheduleKeyDeletionCommand;
const UNUSABLE: readonly [string, Spoil | undefined, RegExp, string][] = [
  ['that is not there', undefined, /^There is no symmetric KMS key arn:.*0000 in this account and region/, 'Check the ARN or alias'],
  ['that is disabled', (KeyId) => new DisableKeyCommand({ KeyId }), /is disabled, so the keys of this vault cannot be unwrapped/, 'aws kms enable-key --key-id '],
  ['that is about to be deleted', (KeyId) => new ScheduleKeyDeletionCommand({ KeyId, PendingWindowInDays: 7 }), /is about to be deleted or not usable now; once it is deleted/, 'aws kms cancel-key-deletion --key-id '],
];

describe.each([
  ['MiniStack', startMinistack],
  ['moto', startMoto],
])('keys of a vault under KMS (K1), against %s', (server, start) => {
  let running: Ministack;
  let key: string;
  beforeAll(async () => {
    running = await start();
    key = await newKey();
  }, 60_000);
  afterAll(() => running.stop());

  it('are wrapped once for everything and once for metadata, and open again with one call', async () => {
    const { store, keys, slots } = await vault();
    expect(slots.map(({ kind, kdf, wrapped }) => [kind, kdf?.name === 'kms' && kdf.scope, kdf?.name === 'kms' && kdf.key, wrapped.data !== undefined])).toEqual([['kms', 'all', key, true], ['kms', 'meta', key, false]]);
    const [all, meta] = [counted(), counted()];
    const opened = await openSlots(store, repository, kmsUnlocker({ client: all.client, repository, scope: 'all' }));
    expect(opened).toMatchObject({ ...keys, newestNumber: 1, problems: [] });
    const pruner = await openSlots(store, repository, kmsUnlocker({ client: meta.client, repository, scope: 'meta' }));
    expect(pruner).toMatchObject({ pairs: [{ number: 1, meta: keys.pairs[0]?.meta }], chunker: keys.chunker });
    expect(pruner.pairs[0]).not.toHaveProperty('data');
    expect([all.calls, meta.calls]).toEqual([['DecryptCommand'], ['DecryptCommand']]);
  });

  it('cost one call of KMS for each key number, whatever the number of slots', async () => {
    const { store } = await vault();
    const making = counted();
    const rotating = await wrappers(making.client);
    const opened = await openSlots(store, repository, kmsUnlocker({ client: making.client, repository, scope: 'all' }));
    const plan = await planRotation({ repository, keys: opened, listed: await listSlots(store, repository), wrappers: rotating, leaveOut: [] });
    expect(plan.access.map(({ label, opens, upTo, getsNew }) => [label.endsWith('(metadata)'), opens, upTo, getsNew])).toEqual([[false, 'everything', 1, true], [true, 'metadata', 1, true]]);
    await executeRotation(store, plan);
    expect(making.calls).toEqual(['GenerateDataKeyCommand', 'GenerateDataKeyCommand', 'DecryptCommand']);
    const run = counted();
    const after = await openSlots(store, repository, kmsUnlocker({ client: run.client, repository, scope: 'all' }));
    expect(after.pairs.map(({ number }) => number)).toEqual([1, 2]);
    expect(run.calls).toEqual(['DecryptCommand', 'DecryptCommand']);
  });

  it('get one more slot for each number under another key with one new data key of KMS', async () => {
    const { store, keys } = await vault();
    const other = await newKey();
    const { client, calls } = counted();
    const added = await addSlot(repository, keys, await createKmsWrapper({ client, repository, scope: 'all', keyId: other }));
    await writeSlots(store, added);
    const opened = await openSlots(store, repository, kmsUnlocker({ client, repository, scope: 'all', keyId: other }));
    expect([opened.pairs, calls]).toEqual([keys.pairs, ['GenerateDataKeyCommand', 'DecryptCommand']]);
  });

  it('take an alias; the slot names the key behind it', async () => {
    const alias = `alias/vault-${newHexId().slice(0, 8)}`;
    await client().send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: key }));
    const wrapper = await createKmsWrapper({ client: client(), repository, scope: 'all', keyId: alias });
    expect(wrapper.kdf).toMatchObject({ name: 'kms', key });
    const store = new MemoryStore(systemClock);
    await writeSlots(store, (await createSlots(repository, [wrapper])).slots);
    expect((await openSlots(store, repository, kmsUnlocker({ client: client(), repository, scope: 'all', keyId: alias }))).pairs).toHaveLength(1);
  });

  it.each<[string, Partial<{ repository: RepositoryId; scope: KmsScope }>]>([
    ['another vault', { repository: newHexId<RepositoryId>() }],
    ['the wider scope', { scope: 'all' }],
  ])('are bound to their context: a ciphertext of %s opens nothing', async (_, foreign) => {
    const wrapper = await createKmsWrapper({ client: client(), repository, scope: 'meta', keyId: key, ...foreign });
    const [slot] = (await vault()).slots.filter(({ kdf }) => kdf?.name === 'kms' && kdf.scope === 'meta') as [KmsSlot];
    const store = await storeOf({ ...slot, kdf: { ...slot.kdf, ciphertext: (wrapper.kdf as KmsSlot['kdf']).ciphertext } });
    await expect(openSlots(store, repository, kmsUnlocker({ client: client(), repository, scope: 'meta' }))).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('KMS does not open its ciphertext') });
  });

  it('in a slot whose ciphertext was altered open nothing: KMS refuses it, or the check value of the slot does', async () => {
    const [slot] = (await vault()).slots as [KmsSlot];
    const altered = Uint8Array.from(slot.kdf.ciphertext);
    const last = altered.length - 1;
    altered[last] = (altered[last] as number) ^ 1;
    const store = await storeOf({ ...slot, kdf: { ...slot.kdf, ciphertext: altered } });
    const code = await openSlots(store, repository, kmsUnlocker({ client: client(), repository, scope: 'all' })).then(() => 'opened', ({ code: seen }: { code: string }) => seen);
    // The emulator does not authenticate its ciphertexts: it answers with another key.
    expect(code).toBe(server === 'MiniStack' ? 'wrong-key' : 'damaged');
  });

  it('still open when one of several slots is damaged, and that one is named', async () => {
    const { store, keys } = await vault();
    const [slot] = (await createSlots(repository, await wrappers())).slots as [KmsSlot];
    const foreign = await createKmsWrapper({ client: client(), repository: newHexId<RepositoryId>(), scope: 'all', keyId: key });
    await writeSlots(store, [{ ...slot, kdf: { ...slot.kdf, ciphertext: (foreign.kdf as KmsSlot['kdf']).ciphertext } }]);
    const opened = await openSlots(store, repository, kmsUnlocker({ client: client(), repository, scope: 'all' }));
    expect(opened.pairs).toEqual(keys.pairs);
    expect(opened.problems.map(({ data }) => data['slot'])).toEqual([slotName(slot)]);
  });

  it('are not opened with a key that somebody else put into the vault, when the configuration names the key', async () => {
    const store = new MemoryStore(systemClock);
    await writeSlots(store, (await createSlots(repository, [await createKmsWrapper({ client: client(), repository, scope: 'all', keyId: await newKey() })])).slots);
    const { client: asked, calls } = counted();
    await expect(openSlots(store, repository, kmsUnlocker({ client: asked, repository, scope: 'all', keyId: key }))).rejects.toMatchObject({ code: 'wrong-key', message: 'The KMS key that was given opens none of the 1 key slot of this vault (1 KMS key).' });
    expect(calls).toEqual([]);
  });

  it('of another region are passed by without a call', async () => {
    const { store } = await vault();
    const { client: asked, calls } = counted();
    await expect(openSlots(store, repository, kmsUnlocker({ client: asked, repository, scope: 'all', region: 'us-west-2' }))).rejects.toMatchObject({ code: 'wrong-key' });
    expect(calls).toEqual([]);
    expect((await openSlots(store, repository, kmsUnlocker({ client: client(), repository, scope: 'all', region: 'eu-central-1' }))).pairs).toHaveLength(1);
  });

  // moto hands out data keys of keys that are disabled or about to be deleted.
  it.each(server === 'moto' ? UNUSABLE.slice(0, 1) : UNUSABLE)('under a key %s fail as missing-key and say what to do', async (_, spoil, message, nextStep) => {
    const keyId = spoil === undefined ? MISSING : await afterwards(spoil);
    const error = await createKmsWrapper({ client: client(), repository, scope: 'all', keyId }).then(() => undefined, (thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'missing-key', retryable: false, message: expect.stringMatching(message), nextStep: expect.stringContaining(nextStep) });
    expect((error as Error).message).not.toContain('\n');
  });

  it('show nothing of themselves in slots or errors', async () => {
    const { keys, slots } = await vault();
    const stored = slots.map((slot) => Buffer.from(encodeSlot(slot)).toString('latin1')).join('');
    const unlocker = kmsUnlocker({ client: client(), repository, scope: 'all' });
    const kek = (await unlocker.keyEncryptionKey(slots[0] as KeySlot)) as Uint8Array;
    for (const secret of [kek, keys.chunker, ...keys.pairs.flatMap(({ meta, data }) => [meta, data as Uint8Array])]) {
      for (const encoding of ['latin1', 'base64', 'hex'] as const) expect(stored).not.toContain(Buffer.from(secret).toString(encoding).slice(0, 30));
    }
  });

  function client(): KMSClient {
    return new KMSClient(running.client);
  }

  async function newKey(): Promise<string> {
    return (await client().send(new CreateKeyCommand({}))).KeyMetadata?.Arn as string;
  }

  async function afterwards(command: Spoil): Promise<string> {
    const arn = await newKey();
    await client().send(command(arn.split('/')[1] as string) as DisableKeyCommand);
    return arn;
  }

  /** A client that writes down which commands it sent. */
  function counted(): { client: KMSClient; calls: string[] } {
    const calls: string[] = [];
    const counting = client();
    counting.middlewareStack.add((next, context) => (args) => (calls.push(String(context.commandName)), next(args)), { step: 'initialize' });
    return { client: counting, calls };
  }

  async function wrappers(asked = client()) {
    return [await createKmsWrapper({ client: asked, repository, scope: 'all', keyId: key }), await createKmsWrapper({ client: asked, repository, scope: 'meta', keyId: key })];
  }

  async function vault() {
    const store = new MemoryStore(systemClock);
    const made = await createSlots(repository, await wrappers());
    await writeSlots(store, made.slots);
    return { store, ...made };
  }
});

type KmsSlot = Extract<KeySlot, { kind: 'kms' }>;

async function storeOf(...slots: readonly KeySlot[]): Promise<MemoryStore> {
  const store = new MemoryStore(systemClock);
  await writeSlots(store, slots);
  return store;
}
