import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readKeyFile } from '../../lib/keyring/key-file.ts';
import { openSlots } from '../../lib/keyring/open-slots.ts';
import { newUlid } from '../../lib/model/ids.ts';
import { encodeRefs, names, openRepository, readConfig, readManifest, readRefs, sealManifest, sha256 } from '../../lib/repository/index.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { Person } from './program.ts';

const BACKUPS = 1000;

/** Writes more backups of the same content, as years of runs would have left them. */
async function multiply(person: Person): Promise<void> {
  const store = openDirectoryStore(person.vault);
  const config = await readConfig(store);
  const repository = openRepository(store, config, await openSlots(store, config.repository, await readKeyFile(person.path('key'))));
  const [plan = ''] = readdirSync(join(person.vault, 'snapshots'));
  const [first = ''] = readdirSync(join(person.vault, 'snapshots', plan));
  const { manifest } = await readManifest(repository, names.snapshot(plan, first));
  const refs = await readRefs(repository, manifest);
  const write = (name: string, bytes: Uint8Array) => {
    mkdirSync(dirname(join(person.vault, name)), { recursive: true });
    writeFileSync(join(person.vault, name), bytes);
  };
  for (let sequence = 2; sequence <= BACKUPS; sequence++) {
    const finishedAt = Date.parse(manifest.finishedAt) + sequence * 3_600_000;
    const backup = newUlid<string>(finishedAt);
    const list = encodeRefs({ ...refs, backup });
    write(names.refs(plan, backup, 0), list);
    const copy = { ...manifest, backup, sequence, finishedAt: new Date(finishedAt).toISOString(), checkedAt: Date.now(), refsSha256: sha256(list).toString('hex'), predecessors: [] };
    write(names.snapshot(plan, backup), sealManifest(repository.keys, copy, repository.cipher));
  }
}

describe(`a vault of ${BACKUPS} backups`, () => {
  test('is listed whole, from a catalog that began without them; a prefix, latest and a limit are found', async () => {
    const person = new Person();
    const flags = ['--vault', person.vault, '--key-file', person.path('key')];
    mkdirSync(person.path('work', 'data'));
    writeFileSync(person.path('work', 'data', 'file'), 'content');
    await person.do(['init', '--no-yaml', ...flags]);
    await person.do(['backup', 'data', ...flags]);
    await multiply(person);
    const { stdout, stderr } = await person.do(['list', ...flags]);
    expect(stdout.trim().split('\n')).toHaveLength(500 + 1);
    expect(stderr).toContain('999 backups');
    expect(stderr).toContain('These are the newest 500: --limit N shows more, --json all of them.');
    expect((await person.do(['list', '--limit', '1000', ...flags])).stdout.trim().split('\n')).toHaveLength(BACKUPS + 1);
    const begun = performance.now();
    const listed = await person.json<{ backup: string; sequence: number }>(['list', ...flags]);
    // 0.2 s on an idle machine; the bar is 0.4 s, and tests share theirs.
    expect(performance.now() - begun).toBeLessThan(2000);
    expect(listed.map(({ sequence }) => sequence)).toEqual(Array.from({ length: BACKUPS }, (_, index) => BACKUPS - index));
    expect((await person.json<{ sequence: number }>(['show', 'latest', ...flags]))[0]?.sequence).toBe(BACKUPS);
    expect((await person.json<{ sequence: number }>(['show', listed[500]?.backup.slice(0, 14) ?? '', ...flags]))[0]?.sequence).toBe(500);
    expect((await person.run(['show', '01', ...flags])).stderr).toContain('the beginning of 1000 backups');
    expect((await person.json(['list', '--limit', '7', ...flags]))).toHaveLength(7);
    expect((await person.json<{ backups: number }>(['stats', ...flags]))[0]?.backups).toBe(BACKUPS);
  });
});
