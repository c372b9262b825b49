import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../lib/model/clock.ts';
import { serverEnvironment, startRecovered } from '../../../lib/recovery/data-directory/start-server.ts';

const PLAIN = { PATH: '/usr/bin:/bin', LD_LIBRARY_PATH: '/lib', HOME: '/h', LANG: 'C' };
const OURS = { HOLDFAST_VAULT: 'v', XDG_STATE_HOME: '/x', AWS_SECRET_ACCESS_KEY: 's' };
const PASSPHRASE = { HOLDFAST_PASSPHRASE: 'p', HOLDFAST_PASSPHRASE_FILE: '/f' };
const ALL = { ...PLAIN, ...OURS, ...PASSPHRASE, HOLDFAST_DATABASE_PASSWORD: 'd', PGPASSWORD: 'q', GONE: undefined };
const FIXED = { LC_ALL: 'C', TZ: 'UTC' };

describe('the environment of a restored server (R4)', () => {
  it.each<readonly [string, string | undefined, Readonly<Record<string, string>>]>([
    ['nothing of ours without an archive', undefined, {}],
    ['nothing of ours for another command', 'cp /wal-fetch/%f %p', {}],
    ['what opens the vault for wal-fetch', 'holdfast wal-fetch %f %p --plan cluster', { ...OURS, ...PASSPHRASE }],
    ['the same for the script before it', 'env NODE=/usr/bin/node /h/holdfast-wal fetch %f %p --plan cluster', { ...OURS, ...PASSPHRASE }],
    ['no passphrase when the key is named', '/usr/bin/node /h/cli.mjs wal-fetch %f %p --plan c --key-file /k', OURS],
  ])('has %s', (_what, command, more) => {
    expect(serverEnvironment(ALL, command)).toEqual({ ...PLAIN, ...more, ...FIXED });
  });

  it('is what the program that is started really sees', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-start-'));
    try {
      const program = join(folder, 'program');
      writeFileSync(program, '#!/bin/sh\nenv > seen\nexit 1\n');
      chmodSync(program, 0o700);
      const seenWith = async (restoreCommand: string | undefined) => {
        rmSync(join(folder, 'holdfast-recovery.log'), { force: true });
        await expect(startRecovered({ program, directory: folder, port: 5433, target: { kind: 'latest' }, action: 'promote', restoreCommand, owner: undefined, environment: ALL, clock: systemClock, signal: new AbortController().signal })).rejects.toThrow(/exit code 1/);
        return readFileSync(join(folder, 'seen'), 'utf8');
      };
      expect(await seenWith('cp /a/%f %p')).not.toMatch(/^(HOLDFAST|AWS|XDG)_/m);
      expect(await seenWith('holdfast wal-fetch %f %p')).toMatch(/^AWS_SECRET_ACCESS_KEY=s$/m);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
