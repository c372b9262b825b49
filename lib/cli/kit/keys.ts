import { listSlots } from '../../keyring/open-slots.ts';
import type { KeySlot } from '../../keyring/key-slot.ts';
import { invariant } from '../../model/errors.ts';
import { readConfig } from '../../repository/index.ts';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { tableLines } from '../table.ts';
import { KitRuntime } from './kit-runtime.ts';

type KmsSlot = Extract<KeySlot, { kind: 'kms' }>;

/** What opens this vault. Nothing in a slot is secret, so no key is asked for. */
export async function run({ runtime, options, output }: CommandContext): Promise<ExitCode> {
  invariant(runtime instanceof KitRuntime, 'The command of the recovery kit was called elsewhere');
  const store = runtime.openStore(options);
  const { repository } = await readConfig(store);
  const { slots, problems } = await listSlots(store, repository);
  const calls = [...new Map(slots.filter(isKms).filter(({ kdf }) => kdf.scope === 'all').map((slot) => [Buffer.from(slot.kdf.ciphertext).toString('base64'), slot])).values()].map(kmsLines);
  output.result({ type: 'keys', repository, slots: slots.map(({ kind, label, keyNumber, slot, wrapped }) => ({ slot, kind, label, keyNumber, opens: wrapped.data ? 'all' : 'metadata' })), kmsCommands: calls.map((lines) => lines.join('\n')) }, () => [
    ...tableLines([{ head: 'KIND' }, { head: 'LABEL' }, { head: 'KEY', align: 'right' }, { head: 'OPENS' }, { head: 'SLOT' }], slots.map(({ kind, label, keyNumber, slot, wrapped }) => [kind, label, String(keyNumber), wrapped.data ? 'everything' : 'names and sizes alone', slot]), (head) => output.paint('dim', head)),
    ...(calls.length > 0 ? ['', 'A key in AWS KMS is asked by these lines, as somebody who may use it. Then give --kms-key-file for each file:'] : []),
    ...calls.flat(),
  ]);
  for (const { message } of problems) output.warn(message);
  return problems.length > 0 ? 3 : 0;
}

function isKms(slot: KeySlot): slot is KmsSlot {
  return slot.kind === 'kms';
}

/** Format §3. Each line stands for itself: they are copied one by one. */
function kmsLines({ kdf: { key, scope, ciphertext }, keyNumber, repository }: KmsSlot): string[] {
  const context = JSON.stringify({ 'holdfast:repository': repository, 'holdfast:scope': scope });
  const [blob, file] = [`holdfast-kms-${keyNumber}.blob`, `holdfast-kms-${keyNumber}.key`];
  return [
    `umask 077; printf %s ${Buffer.from(ciphertext).toString('base64')} | base64 -d > ${blob}`,
    `aws kms decrypt --region ${key.split(':')[3] ?? ''} --key-id ${key} --ciphertext-blob fileb://${blob} --encryption-context '${context}' --query Plaintext --output text > ${file}`,
  ];
}
