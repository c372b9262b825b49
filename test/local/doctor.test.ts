import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findConfig } from '../../lib/local/configuration.ts';
import { examineAll } from '../../lib/local/doctor.ts';
import type { DoctorRow } from '../../lib/local/doctor.ts';
import type { Environment } from '../../lib/local/places.ts';
import { makeVault } from '../../lib/local/vault.ts';
import { chooseVault } from '../../lib/local/vault-choice.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
let context: { readonly environment: Environment; readonly clock: typeof systemClock };
beforeEach(() => {
  folder = temporaryFolder();
  context = { environment: { variables: {}, home: folder, workingFolder: folder, temporaryFolder: folder }, clock: systemClock };
});

const examine = (vault: string, isProbing = true, more: object = {}) => {
  const options = { vault, keyFile: 'key', ...more };
  const chosen = async () => chooseVault(options, context.environment, await findConfig(context.environment, undefined));
  return examineAll(options, context, { chooseVault: chosen, isProbing, signal: new AbortController().signal, onRow: () => undefined });
};
const make = async (vault: string, keyFile = 'key') => makeVault(await chooseVault({ vault, keyFile }, context.environment, undefined), context);
/** A vault that was just made has one key; that is told every time, and tested with the rows. */
const notOk = (rows: readonly DoctorRow[]) => rows.filter(({ result, check }) => result !== 'ok' && check !== 'has a second').map(({ area, check, result }) => [`${area} ${check}`, result]);

describe('holdfast doctor on a directory', () => {
  it('finds a vault, its key and its store fit, and leaves the vault as it was', async () => {
    await make('vault');
    const before = readdirSync(join(folder, 'vault')).sort();
    const rows = await examine('vault');
    expect(notOk(rows)).toEqual([]);
    expect(rows.map(({ area }) => area)).toEqual(['machine', 'machine', 'machine', 'configuration', 'vault', 'vault', 'key', 'key', ...Array.from({ length: 7 }, () => 'store')]);
    expect(readdirSync(join(folder, 'vault')).sort()).toEqual(before);
  });

  it('probes a place where no vault is yet, and leaves it as it was, so that one can be made', async () => {
    expect(notOk(await examine('not/yet/vault'))).toEqual([['vault is there', 'warning']]);
    expect(existsSync(join(folder, 'not'))).toBe(false);
    await make('not/yet/vault');
    expect(notOk(await examine('not/yet/vault'))).toEqual([]);
  });

  it('writes nothing to the store when it is asked not to', async () => {
    await make('vault');
    const rows = await examine('vault', false);
    expect(rows.filter(({ area }) => area === 'store')).toEqual([]);
    expect(existsSync(join(folder, 'vault', 'probe'))).toBe(false);
  });

  it('says which key does not open the vault, or is not there, and asks the store all the same', async () => {
    await make('vault');
    await make('other', 'other-key');
    const wrong = await examine('vault', true, { keyFile: 'other-key' });
    expect(notOk(wrong)).toEqual([['key opens the vault', 'failed']]);
    expect(notOk(await examine('vault', false, { keyFile: 'absent' }))).toEqual([['key opens the vault', 'failed']]);
    expect(wrong.some(({ area }) => area === 'store')).toBe(true);
  });

  it('stops at a damaged holdfast.json', async () => {
    await make('vault');
    const file = join(folder, 'vault', 'holdfast.json');
    chmodSync(file, 0o600);
    writeFileSync(file, '{');
    const rows = await examine('vault');
    expect(notOk(rows)).toEqual([['vault is there', 'failed']]);
    expect(rows.at(-1)?.area).toBe('vault');
  });

  it('says what is wrong with the configuration, and which sources cannot be read', async () => {
    writeFileSync(join(folder, 'holdfast.yaml'), 'vaults:\n  main: { directory: vault, key-file: key }\nplans:\n  one: { source: { type: files, paths: [there, absent] } }\n');
    mkdirSync(join(folder, 'there'));
    await make('vault');
    const rows = await examine('main', false);
    expect(notOk(rows)).toEqual([['configuration sources are there', 'warning'], ['vault lies apart from what it protects', 'warning']]);
    expect(rows.find(({ check }) => check === 'sources are there')?.seen).toBe(`cannot read ${join(folder, 'absent')} of plan one (ENOENT)`);
    writeFileSync(join(folder, 'holdfast.yaml'), 'vaults: 5\n');
    expect(notOk(await examine('vault', false))).toEqual([['configuration is valid', 'failed']]);
  });
});
