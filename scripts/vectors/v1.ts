import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import { passphraseWrapper } from '../../lib/keyring/passphrase.ts';
import { createSlots, rotate, writeSlots } from '../../lib/keyring/slots.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { newHexId } from '../../lib/model/ids.ts';
import type { PlanId } from '../../lib/model/ids.ts';
import { openRepository, writeConfig, writeVerdict } from '../../lib/repository/index.ts';
import type { Manifest, Repository } from '../../lib/repository/index.ts';
import { filesSource } from '../../lib/sources/files.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { makeMustFail } from './must-fail.ts';
import { changeTree, describeTree, makeTree } from './source-tree.ts';
import type { ExpectedEntry } from './source-tree.ts';
import { backUp, smallConfig, streamOf } from './vector-backup.ts';

const PASSPHRASE = 'correct horse battery staple';
const STREAM = 'CREATE TABLE account (id, amount);\n-- dump complete\n';
const plans = { files: { id: newHexId<PlanId>(), name: 'files' }, dump: { id: newHexId<PlanId>(), name: 'dump' } };

interface ExpectedBackup {
  readonly backup: string;
  readonly plan: string;
  readonly cipher: string;
  readonly keyNumber: number;
  readonly entries: readonly ExpectedEntry[];
}

/** The first set: every kind of object that a backup writes. */
export async function makeV1(target: string): Promise<void> {
  const store = openDirectoryStore(join(target, 'vault'));
  const config = smallConfig();
  const wrappers = [await createKeyFile(join(target, 'holdfast.key')), passphraseWrapper(PASSPHRASE, 'desk', { N: 16_384, r: 8, p: 1 })];
  const first = await createSlots(config.repository, wrappers);
  await writeSlots(store, first.slots);
  await writeConfig(store, config);
  const repository = openRepository(store, config, first.keys);
  const backups: ExpectedBackup[] = [];
  const expect = (manifest: Manifest, { cipher, keys }: Repository, entries: readonly ExpectedEntry[]) => backups.push({ backup: manifest.backup, plan: manifest.plan, cipher, keyNumber: keys.current, entries });

  makeTree('tree');
  expect(await backUp({ repository, plan: plans.files, source: filesSource([fromText('tree')]) }), repository, describeTree('tree'));
  changeTree('tree');
  expect(await backUp({ repository, plan: plans.files, source: filesSource([fromText('tree')]) }), repository, describeTree('tree'));

  const second = await rotate(config.repository, first.keys, wrappers);
  await writeSlots(store, second.slots);
  const rotated = openRepository(store, config, second.keys, { cipher: 'chacha20-poly1305' });
  writeFileSync('dump', STREAM);
  const sha256 = createHash('sha256').update(STREAM).digest('hex');
  expect(await backUp({ repository: rotated, plan: plans.dump, source: streamOf('dump', 'dump.sql', '-- dump complete') }), rotated, [{ path: Buffer.from('dump.sql').toString('base64'), type: 'stream', mode: 0o600, size: STREAM.length, sha256 }]);
  await writeVerdict(rotated, { backup: backups[0]?.backup ?? '', level: 'full', result: 'good', damaged: [] });

  writeFileSync(join(target, 'expected.json'), JSON.stringify({ repository: config.repository, passphrase: PASSPHRASE, backups }, null, 1) + '\n');
  await makeMustFail(rotated, target);
}
