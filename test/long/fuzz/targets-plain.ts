import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { loadConfig } from '../../../lib/config/load-config.ts';
import { resolvePlans, resolveVaults } from '../../../lib/config/resolve-plans.ts';
import { resolveStack } from '../../../lib/config/resolve-stack.ts';
import { parseKeyFile } from '../../../lib/keyring/key-file.ts';
import { parseSlot } from '../../../lib/keyring/key-slot.ts';
import { openSlots } from '../../../lib/keyring/open-slots.ts';
import { recipientUnlocker } from '../../../lib/keyring/recipient.ts';
import { parsePaper } from '../../../lib/keyring/recipient/paper.ts';
import { parseRecipient } from '../../../lib/keyring/recipient/public-half.ts';
import type { RepositoryId } from '../../../lib/model/ids.ts';
import { ByteReader, ByteWriter, decodeDamage, decodeMark, decodeRef, encodeMark, encodeRef, encodeRuling, readConfig, readRuling } from '../../../lib/repository/index.ts';
import type { SeededRandom } from '../../simulation/dice.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import type { FuzzTarget } from './target.ts';
import type { VectorVault } from './vector-vault.ts';

/** What lies open in a vault or beside it: anyone who can write there may have changed it. */
export function plainTargets(vault: VectorVault, root: string): FuzzTarget[] {
  return [...factTargets(), ...keyTargets(vault), ...recipientTargets(root), ...configTargets(vault, root)];
}

function json(name: string, examples: readonly Uint8Array[], codes: FuzzTarget['codes'], decode: FuzzTarget['decode']): FuzzTarget {
  const values = examples.map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as unknown);
  const input = (dice: SeededRandom) => (dice.isOnceIn(4) ? mutateBytes(dice, dice.from(examples), { examples, words: [] }) : Buffer.from(mutateJson(dice, dice.from(values))));
  return { name, codes, input, decode };
}

function factTargets(): FuzzTarget[] {
  const pack = `packs/hot/${'a'.repeat(32)}/bb/${'b'.repeat(32)}`;
  const mark = encodeMark(pack);
  const refs = new ByteWriter();
  for (let at = 0; at < 5; at++) encodeRef({ id: new Uint8Array(32).fill(at), pack: new Uint8Array(16).fill(at), length: 1 << (at * 7) }, refs);
  const list = refs.finish();
  return [
    json('damage record', [Buffer.from(JSON.stringify({ pack, seen: 'another digest' }))], ['damaged'], (input) => decodeDamage(input, 'damaged/x')),
    json('mark', [mark], ['damaged'], (input) => decodeMark(input, 'condemned/x.y')),
    json('ruling', [encodeRuling('doomed'), encodeRuling('spared')], ['damaged'], (input) => readRuling({ get: async () => input }, 'condemned/x.y')),
    {
      name: 'list of chunks', codes: ['damaged'],
      input: (dice) => mutateBytes(dice, list, { examples: [list], words: [] }),
      decode: (input) => {
        for (const reader = new ByteReader(input, 'list'); reader.remaining > 0; ) decodeRef(reader);
      },
    },
  ];
}

function keyTargets(vault: VectorVault): FuzzTarget[] {
  const { repository } = vault.repository.config;
  const slots = [...vault.objects].filter(([name]) => name.startsWith('keys/'));
  const [name] = slots.find(([, bytes]) => Buffer.from(bytes).includes('"key-file"')) ?? ['', new Uint8Array()];
  const opened = (input: Uint8Array) => openSlots({ list: async function* () { yield { name, size: input.length }; }, get: async () => input }, repository, vault.key);
  const examples = slots.map(([, bytes]) => bytes);
  return [
    json('key slot', examples, ['damaged', 'unsupported-version'], (input) => parseSlot(name, input, repository)),
    json('key slot, opened with the key file', examples, ['damaged', 'unsupported-version', 'wrong-key'], opened),
    {
      name: 'key file', codes: ['missing-key', 'unsupported-version'],
      input: (dice) => mutateBytes(dice, vault.keyFile, { examples: [vault.keyFile], words: ['holdfast-key-1:', '\n', '\r\n', '#', '='].map((word) => Buffer.from(word)) }),
      decode: (input) => parseKeyFile(Buffer.from(input).toString('latin1'), 'holdfast.key'),
    },
  ];
}

/** What lies on paper, its public half, and the slots that are wrapped for it: `test/vectors/recipient-slots`. */
function recipientTargets(root: string): FuzzTarget[] {
  const folder = join(root, 'test', 'vectors', 'recipient-slots');
  const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as { repository: RepositoryId; seed: string; paper: string[] };
  const slots = readdirSync(join(folder, 'keys', '1')).map((file) => ({ name: `keys/1/${file}`, bytes: readFileSync(join(folder, 'keys', '1', file)) }));
  const name = slots[0]?.name ?? '';
  const unlocker = recipientUnlocker(Buffer.from(expected.seed, 'hex'));
  const paper = Buffer.from(expected.paper.map((line, index) => `${index + 1}:  ${line}`).join('\n'));
  const half = readFileSync(join(folder, 'safe.recipient'));
  const text = (given: Uint8Array) => Buffer.from(given).toString('latin1');
  return [
    json('key slot of a recipient', slots.map(({ bytes }) => bytes), ['damaged', 'unsupported-version', 'wrong-key'], (input) => openSlots({ list: async function* () { yield { name, size: input.length }; }, get: async () => input }, expected.repository, unlocker)),
    {
      name: 'paper of a recipient', codes: ['wrong-key', 'unsupported-version'],
      input: (dice) => mutateBytes(dice, paper, { examples: [paper], words: ['\n', '1: ', '5:', '0O', '-', 'U', '\u00e9'].map((word) => Buffer.from(word)) }),
      decode: (input) => parsePaper(text(input)),
    },
    {
      name: 'public half of a recipient', codes: ['missing-key', 'unsupported-version'],
      input: (dice) => mutateBytes(dice, half, { examples: [half], words: ['holdfast-recipient-1:', '\n', '#', '='].map((word) => Buffer.from(word)) }),
      decode: (input) => parseRecipient(text(input), 'safe.recipient', 'safe'),
    },
  ];
}

const YAML_WORDS = ['- - - ', '[[[[', '{a: {a: ', '*a, ', 'a: ', '&a ', '*a', '<<: *a', '!!binary ', '!!set ', '!!omap', '!<tag:x> ', '? ', '- ', ': ', '| \n', '>+2\n', '{', '}', '[', ']', '"', "'", '#', '---\n', '...\n', '%YAML 1.1\n', '\t', '\u0000', '\ufeff', '__proto__: ', '0x1F', '.inf', '.nan', '1e999', '${env:X}', '${file:x}', '~'];

function configTargets(vault: VectorVault, root: string): FuzzTarget[] {
  const files = ['examples/holdfast.yaml', 'examples/holdfast-aws.yaml', 'examples/aws/holdfast.yaml'].map((file) => readFileSync(join(root, file)));
  const values = files.map((file) => parse(file.toString()) as unknown);
  const texts = values.map((value) => Buffer.from(stringify(value)));
  const words = YAML_WORDS.map((word) => Buffer.from(word));
  const slot = vault.one('holdfast.json').bytes;
  return [
    json('holdfast.json', [slot], ['damaged', 'unsupported-version'], (input) => readConfig({ description: 'fuzz', get: async () => input })),
    {
      // Where every character of 256 KiB is wrong, every one has its error.
      name: 'holdfast.yaml', codes: ['config-invalid'], weight: 1, takenBytes: 192 << 20,
      input: (dice) => (dice.isOnceIn(2) ? mutateBytes(dice, dice.from(texts), { examples: texts, words }) : Buffer.from(mutateJson(dice, dice.from(values)))),
      decode: (input) => {
        const config = loadConfig(Buffer.from(input).toString('utf8'), '/etc/holdfast/holdfast.yaml', { home: '/home/someone' });
        resolveVaults(config);
        resolvePlans(config);
        if (config.fields.notifications) resolveStack(config);
      },
    },
  ];
}
