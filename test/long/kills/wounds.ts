import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readKeyFile } from '../../../lib/keyring/key-file.ts';
import { openSlots } from '../../../lib/keyring/open-slots.ts';
import { isHoldfastError } from '../../../lib/model/errors.ts';
import { openIndex, openRepository, packIdOf, readConfig, readCoverage } from '../../../lib/repository/index.ts';
import type { Repository } from '../../../lib/repository/index.ts';
import { openDirectoryStore } from '../../../lib/stores/directory-store.ts';
import { Person, filesBelow } from '../../e2e/program.ts';
import { PLANS } from './desk.ts';
import type { KillDesk } from './desk.ts';

type Wound = 'gone' | 'short' | 'flipped';

/** An object of the vault that is not what was stored, and a backup that needs it. */
export interface Wounded {
  readonly object: string;
  readonly backup: string;
}

/**
 * Two machines back up the same source, each into packs of its own, and one object that the second one stored goes bad:
 * whatever is in it is in packs of the first one too, so it can be healed without the source.
 */
export async function woundOneOfTwo(desk: KillDesk, object: 'pack' | 'list', wounds: readonly Wound[] = ['gone', 'short', 'flipped']): Promise<Wounded> {
  const { dice } = desk;
  const plan = dice.from(PLANS);
  await desk.complete('backup', { args: ['backup', plan] });
  const { stdout } = await desk.complete('backup', { args: ['backup', desk.person.path('work', plan), '--json'] }, otherMachine(desk));
  const backup = (JSON.parse(stdout) as { backup: string }).backup;
  await desk.takeStock();
  const [list] = objectsBelow(desk, 'refs').filter((name) => name.includes(backup)) as [string];
  const { packs } = JSON.parse(readFileSync(join(desk.person.vault, list), 'utf8')) as { packs: { name: string }[] };
  const name = object === 'list' ? list : dice.from(packs.filter((pack) => pack.name.startsWith('packs/hot/'))).name;
  wound(desk, name, dice.from(wounds));
  return { object: name, backup };
}

/** With a state directory of its own, and so with the identity of another writer. */
function otherMachine({ person, dice }: KillDesk): Person {
  const id = Buffer.from(dice.bytes(16)).toString('hex');
  const folder = person.path(`machine-${id}`);
  const state = join(folder, 'xdg', 'state', 'holdfast');
  mkdirSync(state, { recursive: true });
  writeFileSync(join(state, 'writer'), `${id}\n`);
  return new Person({}, folder);
}

export function objectsBelow({ person }: KillDesk, folder: string): string[] {
  if (!existsSync(join(person.vault, folder))) return [];
  return filesBelow(join(person.vault, folder)).map((path) => path.slice(person.vault.length + 1)).sort();
}

export function wound({ person, dice }: KillDesk, name: string, how: Wound): void {
  const path = join(person.vault, name);
  const bytes = readFileSync(path);
  const at = dice.pick(bytes.length);
  if (how === 'gone') rmSync(path);
  else if (how === 'short') truncateSync(path, at);
  else writeFileSync(path, bytes.fill((bytes[at] ?? 0) ^ (1 << dice.pick(8)), at, at + 1));
}

/** Whoever notes that a pack was read, and it is not whole, has recorded that first: else nobody would look at it for long. */
export async function expectHonestCoverage(desk: KillDesk, pack: string): Promise<void> {
  const repository = await openVault(desk, desk.person.path('key'));
  const { readAt, damaged } = await readCoverage(repository, await repository.store.now());
  if (damaged.length > 0) throw new Error(`notes on what was read do not open: ${damaged.join(', ')}`);
  const isRecorded = objectsBelow(desk, 'damaged').some((name) => name === `damaged/${packIdOf(pack)}`);
  if (readAt.has(packIdOf(pack)) && !isRecorded) throw new Error(`${pack} counts as read, and nothing says that it is damaged`);
}

/** Every pack is in an index that opens, but those that are known to be damaged: the next run finds what it may reuse. */
export async function expectIndexed(desk: KillDesk): Promise<void> {
  const { keys, store } = await openVault(desk, desk.person.path('key'));
  const indexed = new Set<string>();
  for (const name of objectsBelow(desk, 'index')) {
    const index = await store.get(name).then((bytes) => openIndex(keys, name, bytes)).catch((error: unknown) => {
      if (isHoldfastError(error, 'damaged')) return undefined;
      throw error;
    });
    for (const pack of index?.packs ?? []) indexed.add(pack.name);
  }
  const damaged = objectsBelow(desk, 'damaged');
  const missing = objectsBelow(desk, 'packs').filter((pack) => !indexed.has(pack) && !damaged.includes(`damaged/${packIdOf(pack)}`));
  if (missing.length > 0) throw new Error(`no index names ${missing.join(', ')}`);
}

/** All of them open the newest key number. */
export async function expectKeysOpen(desk: KillDesk, files: readonly string[]): Promise<void> {
  const newest = (await openVault(desk, desk.person.path('key'))).keys.current;
  for (const file of files) {
    const { current } = (await openVault(desk, file)).keys;
    if (current !== newest) throw new Error(`${file} opens the key number ${current} and none above, wanted ${newest}`);
  }
}

async function openVault({ person }: KillDesk, keyFile: string): Promise<Repository> {
  const store = openDirectoryStore(person.vault);
  const config = await readConfig(store);
  return openRepository(store, config, await openSlots(store, config.repository, await readKeyFile(keyFile)));
}
