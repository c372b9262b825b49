import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { runCli } from '../../lib/cli/main.ts';
import type { Runtime, Vault } from '../../lib/cli/runtime.ts';
import { synchroniseCatalog } from '../../lib/local/catalog-sync.ts';
import type { LocalVault } from '../../lib/local/vault.ts';
import { performVerify } from '../../lib/local/verify.ts';
import { createSlots, writeSlots } from '../../lib/keyring/slots.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import { decodeRefs, newRepositoryConfig, openRepository, writeConfig } from '../../lib/repository/index.ts';
import type { Refs, Repository, RepositoryConfig } from '../../lib/repository/index.ts';
import type { KeyWrapper } from '../../lib/keyring/key-slot.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';
import { executeRemove } from '../../lib/retention/remove.ts';
import { readOnly } from '../../lib/stores/read-only.ts';
import type { Store } from '../../lib/stores/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { backUp } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DAY = 24 * 60 * 60_000;
const WORKERS = { crunch: new URL('file:///none'), restore: new URL('file:///none'), verify: new URL('file:///none') };

type MadeVault = { readonly objects: ReadonlyMap<string, Uint8Array>; readonly config: RepositoryConfig; readonly key: KeyWrapper };
let vault: Promise<MadeVault> | undefined;

async function makeVault(): Promise<MadeVault> {
  const folder = temporaryFolder();
  const clock = new LeapingClock();
  const store = new MemoryStore(clock);
  const config = newRepositoryConfig();
  const key = await createKeyFile(join(folder, 'key'));
  const { slots } = await createSlots(config.repository, [key]);
  await writeSlots(store, slots);
  await writeConfig(store, config);
  const repository = openRepository(store, config, await openSlots(store, config.repository, key));
  mkdirSync(join(folder, 'data'));
  for (let index = 0; index < 4; index++) {
    writeFileSync(join(folder, 'data', `f${index}`), randomBytes(2000));
    await backUp(repository, join(folder, 'data'), { ports: { clock } });
  }
  const objects = new Map<string, Uint8Array>();
  for await (const { name } of store.list('')) objects.set(name, await store.get(name));
  return { objects, config, key };
}

/** The command line on a vault in memory, whose time the test moves. Each whole pack that is read takes a second. */
class Terminal {
  readonly clock = new LeapingClock();
  readonly store = new MemoryStore(this.clock);
  readonly catalog = new SqliteCatalog(':memory:');
  coverage: Vault['coverage'];
  #repository!: Repository;
  #unlocker!: LocalVault['unlocker'];

  /** Puts the vault there that was made once: four backups in eight packs; none when `isEmpty`. */
  async make(isEmpty = false): Promise<this> {
    const made = (vault ??= makeVault());
    const { objects, config, key } = await made;
    if (!isEmpty) for (const [name, bytes] of objects) await this.store.put(name, bytes);
    else for (const [name, bytes] of objects) if (/^(keys|holdfast)/.test(name)) await this.store.put(name, bytes);
    this.#unlocker = key;
    this.#repository = openRepository(this.#slow(), config, await openSlots(this.store, config.repository, key));
    return this;
  }

  #slow(store: Store = this.store): Store {
    const get: Store['get'] = async (name, range) => {
      if (range === undefined && name.startsWith('packs/')) this.clock.advance(1000);
      return store.get(name, range);
    };
    return { description: store.description, get, put: store.put.bind(store), stat: store.stat.bind(store), list: store.list.bind(store), remove: store.remove.bind(store), now: store.now.bind(store) };
  }

  /** The newest backup is removed: what only it needed stays until prune comes. */
  async removeNewest(): Promise<void> {
    const [newest] = (await this.lists()).sort((left, right) => right.packs.length - left.packs.length);
    const { plan, backup } = newest!;
    await executeRemove({ removals: [{ plan, backup, reason: 'it was asked for' }], affected: [], warnings: [], refusals: [] }, this.#repository, { who: 'u', why: 'to see' });
  }

  async lists(): Promise<Refs[]> {
    const names = (await Array.fromAsync(this.store.list('refs/'))).map(({ name }) => name);
    return Promise.all(names.map(async (name) => decodeRefs(await this.store.get(name), name, this.#repository.config.repository)));
  }

  close(): void {
    this.#repository = { ...this.#repository, store: this.#slow(readOnly(this.store, 'it is mounted for reading')) };
  }

  async run(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const vault = { directory: 'memory', repository: this.#repository, unlocker: this.#unlocker, warnings: [], coverage: this.coverage, catalog: async () => this.catalog, close: async () => undefined } as unknown as LocalVault;
    const context = { environment: { variables: {}, home: '/', workingFolder: '/', temporaryFolder: '/' }, clock: this.clock, workers: WORKERS };
    const runtime = {
      openVault: async () => vault,
      synchroniseCatalog: async () => synchroniseCatalog(this.#repository, this.catalog),
      verify: (_: Vault, request: Parameters<typeof performVerify>[1]) => performVerify(vault, request, context),
    } as unknown as Runtime;
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const code = await runCli(args, {
      version: '0', clock: this.clock, environment: {}, workingFolder: '/', userName: 'u', stdout, stderr, stdin: new PassThrough(), signal: new AbortController().signal, loadRuntime: async () => runtime,
    });
    const text = (stream: PassThrough) => (stream.read() as Buffer | null)?.toString() ?? '';
    return { code, stdout: text(stdout), stderr: text(stderr) };
  }

  async json<T>(...args: readonly string[]): Promise<T> {
    return JSON.parse((await this.run(...args, '--json')).stdout) as T;
  }
}

interface CoverageJson {
  readonly level: string;
  readonly packs: { readonly read: number };
  readonly coverage: { readonly packs: number; readonly oldest: { readonly since: string; readonly days: number } | null; readonly overdue: { readonly packs: number } | null; readonly isRecorded: boolean; readonly daysAtThisPace?: number };
}

describe('holdfast verify --within and holdfast stats (V2)', () => {
  test('a vault that nobody read for long is caught up, and both say how the clock stands', async () => {
    const terminal = await new Terminal().make();
    terminal.coverage = { withinDays: 30 };
    terminal.clock.advance(41.5 * DAY);
    const late = await terminal.run('stats');
    expect(late.code).toBe(3);
    expect(late.stdout).toMatch(/^unread {2,}41\.5 days; 8 packs, .* not read since stored$/m);
    expect(late.stdout).toMatch(/^clock {2,}overdue: 8 packs, .* not read for more than 30 days, one of them for 41\.5 days$/m);
    expect(late.stderr).toContain('The coverage clock is overdue: run `holdfast verify`');
    const caughtUp = await terminal.run('verify');
    expect([caughtUp.code, caughtUp.stderr]).toEqual([0, '']);
    expect(caughtUp.stdout).toMatch(/^Good: 8 packs of 8 read in full, .* and all that is beside them, of 4 backups, in 8\.0 s\nLongest unread: 0 days\nClock kept: every stored byte was read within 30 days\n {2}8 packs had waited for longer and are read now\n$/);
    expect((await terminal.run('stats')).code).toBe(0);
    expect((await terminal.json<CoverageJson>('stats')).coverage).toMatchObject({ packs: 8, overdue: { packs: 0 }, oldest: { since: expect.stringMatching(/^20.*Z$/) as string } });
  });

  test('packs that no backup needs are read and counted apart; damage there names no backup and says that nothing has to be healed (V1)', async () => {
    const terminal = await new Terminal().make();
    await terminal.removeNewest();
    expect((await terminal.run('verify', '--level', 'full')).stdout).toMatch(/^Good: 3 of 3 backups good at level full; 6 packs of 6 read in full and 2 packs that no backup needs, /m);
    expect((await terminal.json<CoverageJson>('verify', '--level', 'full')).packs).toMatchObject({ listed: 8, needed: 6, read: 8, unneeded: 2 });
    const named = (await terminal.lists()).flatMap(({ packs }) => packs.map(({ name }) => name));
    const [pack] = (await Array.fromAsync(terminal.store.list('packs/hot/'))).map(({ name }) => name).filter((name) => !named.includes(name));
    const bytes = Uint8Array.from(await terminal.store.get(pack!));
    bytes[100]! ^= 1;
    await terminal.store.remove(pack!);
    await terminal.store.put(pack!, bytes);
    const found = await terminal.run('verify', '--level', 'full');
    expect([found.code, found.stdout.includes('corrupted')]).toEqual([12, false]);
    expect(found.stdout).toMatch(/nothing: no list of packs that can be read names it\. New backups pass it over, and `holdfast prune` frees it/);
    expect(found.stdout).toMatch(/^Packs that no backup needs: nothing to heal, and no new backup builds on them\./m);
    expect(found.stdout).not.toContain('repair packs');
    expect((await terminal.run('verify', '--level', 'full')).code).toBe(0);
  });

  test('without a wanted number of days, stats says how old the oldest is and calls nothing overdue', async () => {
    const terminal = await new Terminal().make();
    terminal.clock.advance(400 * DAY);
    const { code, stdout } = await terminal.run('stats');
    expect([code, stdout.includes('clock')]).toEqual([0, false]);
    expect(stdout).toContain('400 days');
  });

  test('a time that is too short is told with the days that it would really take, and ends with 3', async () => {
    const terminal = await new Terminal().make();
    terminal.clock.advance(40 * DAY);
    const { code, stdout } = await terminal.run('verify', '--within', '3', '--max-duration', '2s');
    expect(code).toBe(3);
    expect(stdout).toMatch(/Clock overdue: 7 packs, .*\n {2}The time that a run may take is too short: at this pace, with a run every day, everything is read every [\d.]+ days instead of 3 days\. Allow --max-duration \d+m or more, run it more often, or allow more days\.\n$/);
  });

  test('the configuration of the vault makes it the plain command; a backup or a level asks for something else', async () => {
    const terminal = await new Terminal().make();
    terminal.coverage = { withinDays: 30, maxDurationMs: 1000 };
    terminal.clock.advance(50 * DAY);
    expect(await terminal.json<CoverageJson>('verify')).toMatchObject({ level: 'coverage', packs: { read: 1 } });
    expect(await terminal.json<CoverageJson>('verify', '--max-duration', '1h')).toMatchObject({ level: 'coverage', packs: { read: 7 } });
    expect((await terminal.json<CoverageJson>('verify', '--level', 'structure')).level).toBe('structure');
    terminal.coverage = undefined;
    expect((await terminal.json<CoverageJson>('verify')).level).toBe('sample');
  });

  test('a vault that takes no writing is verified, and it says that nothing could be recorded', async () => {
    const terminal = await new Terminal().make();
    terminal.clock.advance(50 * DAY);
    terminal.close();
    const { code, stdout } = await terminal.run('verify', '--within', '60');
    expect(code).toBe(0);
    expect(stdout).toContain('could not be kept in the vault');
    expect(stdout).toContain('nothing could be recorded: the next run begins at the same packs');
    expect((await terminal.run('verify', '--within', '30')).code).toBe(3);
  });

  test('damage ends with 12, names the entries, and the catalog learns of it', async () => {
    const terminal = await new Terminal().make();
    await terminal.run('stats');
    const pack = (await Array.fromAsync(terminal.store.list('packs/hot/')))[0]!.name;
    const bytes = Uint8Array.from(await terminal.store.get(pack));
    bytes[60]! ^= 1;
    await terminal.store.remove(pack);
    await terminal.store.put(pack, bytes);
    terminal.clock.advance(50 * DAY);
    const { code, stdout } = await terminal.run('verify', '--within', '30');
    expect(code).toBe(12);
    expect(stdout).toContain(`damaged ${pack}`);
    expect(stdout).toMatch(/^ {4}f\d$/m);
    const touched = [...stdout.matchAll(/touches backup (\w+)/g)].map(([, backup = '']) => backup).toSorted((one, other) => (one < other ? -1 : 1));
    expect(touched.length).toBeGreaterThan(0);
    expect((await terminal.catalog.listBackups({ states: ['corrupted'] })).backups.map(({ backupId }) => backupId).toSorted()).toEqual(touched);
  });

  test.each([
    [['verify', '--within', '30', '--level', 'full'], '--within and --level do not go together'],
    [['verify', 'latest', '--within', '30'], '--within is about the whole vault, and latest is one backup'],
    [['verify', '--max-duration', '20m'], '--max-duration needs --within DAYS'],
    [['verify', '--within', '0'], 'Wanted a whole number from 1 to 3650'],
    [['verify', '--within', '30', '--max-duration', '0m'], 'Wanted a duration such as "90s", "20m", "2h" or "7d"'],
    [['verify', '--within', '30', '--max-duration', '20'], 'Wanted a duration such as "90s", "20m", "2h" or "7d"'],
  ])('%j is refused as usage', async (args, words) => {
    const { code, stderr } = await (await new Terminal().make(true)).run(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
  });
});
