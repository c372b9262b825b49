import { loadConfig } from '../../lib/config/load-config.ts';
import { absolutePaths, planOrders } from '../../lib/local/backup-order.ts';
import type { BackupOrder, BackupRequest } from '../../lib/local/backup-order.ts';
import { placesOf } from '../../lib/local/places.ts';
import { planIdOf } from '../../lib/local/plan-id.ts';
import { sourceOf } from '../../lib/local/source-of.ts';
import { chooseVault } from '../../lib/local/vault-choice.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { StreamSource } from '../../lib/sources/source.ts';
import { onlyStream, readToEnd } from '../sources/reading.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const environment = (variables: Record<string, string> = {}) => ({ variables, home: '/home/me', workingFolder: '/desk', temporaryFolder: '/tmp' });
const config = (vaults = 1) =>
  loadConfig(
    ['vaults:', ...Array.from({ length: vaults }, (_, index) => `  v${index}: { directory: vault${index}, key-file: key${index} }`), 'plans:', '  docs: { vault: v0, source: { type: files, paths: [docs] } }', '  dump: { vault: v0, source: { type: command, command: dump, stdin-name: d }, policy: { compression: { algorithm: gzip } } }'].join('\n'),
    '/etc/holdfast.yaml',
    { home: '/home/me' },
  );

describe('which vault and which key', () => {
  test('the embedded default when nobody says anything', async () => {
    expect(await chooseVault({}, environment(), undefined)).toEqual({ directory: '/home/me/.local/share/holdfast/vault', key: { kind: 'key-file', path: '/home/me/.config/holdfast/key' }, keyFrom: 'nobody: it is the default', isDefault: true });
    expect(placesOf(environment({ XDG_STATE_HOME: '/s', XDG_DATA_HOME: 'relative' }))).toMatchObject({ stateFolder: '/s/holdfast', defaultVault: '/home/me/.local/share/holdfast/vault' });
  });

  test('option before environment before configuration', async () => {
    const variables = { HOLDFAST_VAULT: 'env', HOLDFAST_KEY_FILE: '/env/key' };
    expect(await chooseVault({ vault: 'mine', passphraseFile: 'words' }, environment(variables), config())).toEqual({ directory: '/desk/mine', key: { kind: 'passphrase-file', path: '/desk/words' }, keyFrom: '--passphrase-file', isDefault: false });
    expect(await chooseVault({}, environment(variables), config())).toMatchObject({ directory: '/desk/env', key: { path: '/env/key' }, keyFrom: 'HOLDFAST_KEY_FILE' });
    expect(await chooseVault({}, environment(), config())).toMatchObject({ directory: '/etc/vault0', key: { path: '/etc/key0' }, keyFrom: '/etc/holdfast.yaml' });
  });

  test('a configured vault is found by its name and by its directory, and brings its key', async () => {
    expect(await chooseVault({ vault: 'v1' }, environment(), config(2))).toMatchObject({ directory: '/etc/vault1', key: { path: '/etc/key1' } });
    expect(await chooseVault({ vault: '/etc/vault1' }, environment(), config(2))).toMatchObject({ key: { path: '/etc/key1' } });
    await expect(chooseVault({}, environment(), config(2))).rejects.toMatchObject({ code: 'usage' });
  });

  test('two keys at once are refused', async () => {
    await expect(chooseVault({ keyFile: 'a', passphraseFile: 'b' }, environment(), undefined)).rejects.toMatchObject({ code: 'usage' });
  });

  test('the coverage clock is set at the vault, with a duration in words (V2)', async () => {
    const load = (coverage: string) => loadConfig(`vaults: { v: { directory: v, key-file: k, coverage: ${coverage} } }`, '/etc/holdfast.yaml', {});
    expect((await chooseVault({}, environment(), load('{ within-days: 90, max-duration: 20m }'))).coverage).toEqual({ withinDays: 90, maxDurationMs: 20 * 60_000 });
    expect((await chooseVault({}, environment(), load('{ within-days: 1 }'))).coverage).toEqual({ withinDays: 1 });
    for (const wrong of ['{ within-days: 0 }', '{}', '{ within-days: 30, max-duration: 20 minutes }', '30']) expect(() => load(wrong)).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  });

  test('writers are trusted that the vault of the configuration or the command line names (K3)', async () => {
    const [own, other] = ['a'.repeat(32), 'b'.repeat(32)];
    const trusting = loadConfig(`vaults: { v: { directory: v, key-file: k, trusted-writers: [${own}] } }`, '/etc/holdfast.yaml', {});
    expect((await chooseVault({ trustWriter: [other] }, environment(), trusting)).trustedWriters).toEqual([other, own]);
    await expect(chooseVault({ trustWriter: ['../evil'] }, environment(), undefined)).rejects.toMatchObject({ code: 'usage' });
    expect(() => loadConfig('vaults: { v: { directory: v, key-file: k, trusted-writers: [me] } }', '/etc/holdfast.yaml', {})).toThrow(expect.objectContaining({ code: 'config-invalid' }));
  });

  test('a command sees no variable that the configuration names as a secret, of whatever vault (S8)', async () => {
    const secretive = loadConfig(
      ['vaults:', '  v: { directory: v, passphrase: "${env:BACKUP_WORDS}" }', '  w: { directory: w, passphrase: "${env:OTHER_WORDS}" }', 'plans:', '  dump: { vault: v, source: { type: command, command: env, stdin-name: d } }', '  db: { vault: v, source: { type: postgres, host: h, database: d, user: u, password: "${env:DB_WORDS}" } }'].join('\n'),
      '/etc/holdfast.yaml', {},
    );
    const here = { ...environment({ PATH: process.env['PATH'] ?? '', BACKUP_WORDS: 'one', OTHER_WORDS: 'two', HOLDFAST_PASSPHRASE: 'three', DB_WORDS: 'five', HOLDFAST_DATABASE_PASSWORD: 'six', SEEN: 'four' }), workingFolder: temporaryFolder(), temporaryFolder: temporaryFolder() };
    const [order] = await planOrders({ targets: ['dump'] }, here, secretive);
    const source = await sourceOf(order as BackupOrder, '/nowhere', { environment: here, clock: systemClock });
    const stream = await onlyStream(source as StreamSource);
    const open = await stream.open();
    const said = (await readToEnd(open)).tail.toString();
    await open.close();
    expect(said).toContain('SEEN=four');
    expect(said).not.toMatch(/WORDS|PASSPHRASE|DATABASE/);
  });

  test('the environment does not send a plan to another vault', async () => {
    const [order] = await planOrders({ targets: ['docs'] }, environment({ HOLDFAST_VAULT: '/elsewhere' }), config());
    expect(order?.vault).toMatchObject({ directory: '/etc/vault0', key: { path: '/etc/key0' } });
  });
});

describe('what a backup command means', () => {
  const orders = (request: BackupRequest, withConfig = true) => planOrders(request, environment(), withConfig ? config() : undefined);

  test('a plan, all plans, or paths; ./NAME is always a path', async () => {
    expect((await orders({ targets: ['docs'] })).map(({ planName, source }) => [planName, source.type])).toEqual([['docs', 'files']]);
    expect((await orders({ targets: [] })).map(({ planName }) => planName)).toEqual(['docs', 'dump']);
    expect((await orders({ targets: ['./docs'] })).map(({ planName }) => planName)).toEqual(['/desk/docs']);
    await expect(orders({ targets: ['docs', '/etc'] })).rejects.toMatchObject({ code: 'usage' });
    await expect(orders({ targets: [''] })).rejects.toMatchObject({ code: 'usage' });
    await expect(orders({ targets: ['docs', ' '] })).rejects.toMatchObject({ code: 'usage' });
    await expect(orders({ targets: ['dosc'] })).rejects.toMatchObject({ code: 'not-found' });
    await expect(orders({ targets: [] }, false)).rejects.toMatchObject({ code: 'usage' });
  });

  test('options of the command line win over the plan', async () => {
    const [order] = await orders({ targets: ['dump'], compression: { level: 9 }, verification: 'full', minimumSizeBytes: 7 });
    expect(order?.policy).toMatchObject({ compression: { algorithm: 'gzip', level: 9 }, verification: 'full', minimumSizeBytes: 7 });
    expect((await orders({ targets: ['dump'], compression: { algorithm: 'zstd' } }))[0]?.policy.compression).toEqual({ algorithm: 'zstd', level: 3 });
    await expect(orders({ targets: ['dump'], exclude: ['x'] })).rejects.toMatchObject({ code: 'usage' });
  });

  test('a vault inside of its source is left out, whatever its name', async () => {
    const [order] = await planOrders({ targets: ['/srv'], vault: '/srv/a[1]*/vault' }, environment(), undefined);
    expect(order?.source).toMatchObject({ exclude: [String.raw`/a\[1\]\*/vault`] });
  });

  test('the same paths are the same plan in any order, other paths or another key are not (format §1)', () => {
    const secret = Buffer.alloc(32, 1);
    const id = (...paths: string[]) => planIdOf(secret, absolutePaths(paths, '/desk'));
    expect(id('b', '/desk/a')).toBe(id('a/', './b', 'a'));
    expect(id('a', 'b')).not.toBe(id('a b'));
    expect(id('a')).not.toBe(planIdOf(Buffer.alloc(32, 2), ['/desk/a']));
    expect(id('a')).toMatch(/^[0-9a-f]{32}$/);
    // First 128 bits of HMAC-SHA256(32 times 01, "plan" 00 "/desk/a"), by openssl.
    expect(id('a')).toBe('5c769a76f83bdfefeb2d39fff7cf276f');
  });
});
