import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Desk, REAL_WORKERS } from './run-in-process.ts';

/** A vault with one backup of three files. */
async function desk(): Promise<Desk> {
  const made = new Desk({}, REAL_WORKERS);
  await made.do('init', '--vault', 'vault', '--key-file', 'key');
  mkdirSync(made.path('files'));
  for (const name of ['a', 'b', 'c']) writeFileSync(join(made.path('files'), name), name.repeat(5000));
  await made.run('backup', made.path('files'));
  return made;
}

function below(at: Desk, folder: string): string[] {
  return readdirSync(at.path(`vault/${folder}`), { recursive: true, encoding: 'utf8' }).map((name) => at.path(join('vault', folder, name))).filter((path) => statSync(path).isFile()).sort();
}

function flip(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at]! ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
}

describe('holdfast repair (V1)', () => {
  it('says what is lost and what to do, heals by the next backup, and verify turns clean', async () => {
    const at = await desk();
    flip(below(at, 'packs/hot')[0]!, 200);
    const found = await at.run('verify', '--level', 'full');
    expect(found.code).toBe(12);
    expect(found.stdout).toContain('or `holdfast repair packs` without a backup; then verify again.');
    expect(found.stdout).toMatch(/\n {2}lost: the content of \d entr[a-z]+ in backup \w+\n {2}healing: a backup of .*\/files heals it as far as the source still has this data as it was; /);
    const planned = await at.run('repair', 'packs', '--dry-run');
    expect(planned.code).toBe(12);
    expect(planned.stdout).toMatch(/not healed packs\/hot\/.*: it is damaged, and \d+ chunks that entries need are in no other pack\n {4}a\n/);
    expect(planned.stdout).toContain('If the source still has these files, back it up: that stores them anew and heals.');
    expect(await at.run('repair', 'packs')).toMatchObject({ code: 12 });
    const backup = await at.run('backup', at.path('files'));
    expect(backup).toMatchObject({ code: 0, stderr: expect.stringContaining('Healed a pack of an older backup. `holdfast verify --level full` proves them and calls them good again.') });
    expect(await at.do('verify', '--level', 'full')).toContain('Good: 2 of 2 backups good at level full');
    expect(await at.do('repair', 'packs')).toContain('No backup names a pack that is missing or that somebody found damaged.');
    await at.do('restore', 'latest', '--to', 'restored');
    expect(readFileSync(at.path('restored/a'), 'utf8')).toBe('a'.repeat(5000));
  });

  it('promises nothing after a backup that could not heal, because its source is another one by now', async () => {
    const at = await desk();
    flip(below(at, 'packs/hot')[0]!, 200);
    await at.run('verify', '--level', 'full');
    for (const name of ['a', 'b', 'c']) writeFileSync(join(at.path('files'), name), `other than ${name}`);
    await at.run('backup', at.path('files'));
    const found = await at.run('verify', '--level', 'full');
    expect(found.code).toBe(12);
    expect(found.stdout).toMatch(/healing: a backup of .*\/files, made since this was noted, did not heal it: another one will only if the source has this data again; `holdfast repair packs --dry-run` says/);
  });

  it('takes a wrong note back after a question, and not without an answer', async () => {
    const at = await desk();
    const [pack] = below(at, 'packs/hot');
    flip(pack!, 200);
    await at.run('verify', '--level', 'full');
    flip(pack!, 200);
    expect(below(at, 'damaged')).toHaveLength(1);
    expect(await at.run('repair', 'packs')).toMatchObject({ stderr: expect.stringContaining('Repeat it with --yes') });
    expect(below(at, 'damaged')).toHaveLength(1);
    expect(await at.do('repair', 'packs', '--yes')).toContain('Deleted 1 note.');
    expect(below(at, 'damaged')).toEqual([]);
    expect(await at.do('verify', '--level', 'full')).toContain('Good');
  });

  it('makes a damaged index and a lost list of packs again; programs read what was done as JSON', async () => {
    const at = await desk();
    flip(below(at, 'index')[0]!, 100);
    rmSync(below(at, 'refs')[0]!);
    expect(await at.run('verify', '--level', 'structure')).toMatchObject({ code: 12, stdout: expect.stringMatching(/Lists of packs: `holdfast repair packs`.*\nIndexes: `holdfast repair index`/) });
    expect(await at.do('repair', 'index', '--dry-run')).toMatch(/broken index\/.*\nwrite an index of writer [0-9a-f]{32} with \d+ chunks: 2 packs that no index names, in place of 1 index that does not open\nNothing was done\./);
    expect(await at.json('repair', 'index')).toMatchObject([{ type: 'repair-index', superseded: 1, packs: 2 }]);
    expect(await at.json('repair', 'packs')).toMatchObject([{ type: 'repair-packs', packs: 0, backups: [expect.stringContaining('snapshots/')], unhealed: [] }]);
    expect(await at.do('verify', '--level', 'full')).toContain('Good: 1 of 1 backup good at level full');
    expect(await at.do('repair', 'index')).toContain('There is nothing to do.');
  });

  it('of a vault without holdfast.json says what it should say, and never to make a new vault there', async () => {
    const at = await desk();
    rmSync(at.path('vault/holdfast.json'));
    const ran = await at.run('repair', 'packs');
    expect(ran.code).toBe(12);
    expect(ran.stdout).toContain('damaged holdfast.json');
    expect(ran.stderr).toContain('write this line into it: {"format":1');
    expect(ran.stderr).not.toContain('holdfast init');
  });
});
