import { keepKit, kitFiles, kitProblem } from '../../lib/recovery/kit.ts';
import type { Kit } from '../../lib/recovery/kit.ts';
import { sha256 } from '../../lib/repository/index.ts';
import { MemoryStore } from '../../lib/stores/memory-store.ts';

describe('the recovery kit in a vault (K10)', () => {
  const kit: Kit = { script: Buffer.from('console.log(1)'), page: Buffer.from('read me') };
  const digest = sha256(kit.script).toString('hex').slice(0, 8);
  let store: MemoryStore;
  let calls: string[];
  beforeEach(() => {
    store = new MemoryStore({ now: () => 0 });
    calls = [];
  });
  const watched = () => ({
    put: (name: string, bytes: Uint8Array) => (calls.push(`put ${name}`), store.put(name, bytes)),
    stat: (name: string) => (calls.push(`stat ${name}`), store.stat(name)),
  });

  it('is named by the digest of its script, so that names are written once; the page comes last', async () => {
    expect(await keepKit(watched(), kit)).toBe(true);
    expect(calls).toEqual([`stat kit/holdfast-kit-${digest}.mjs`, `stat kit/README-${digest}.txt`, `put kit/holdfast-kit-${digest}.mjs`, `put kit/README-${digest}.txt`]);
    expect(Buffer.from(await store.get(`kit/holdfast-kit-${digest}.mjs`))).toEqual(kit.script);
  });

  it('costs two questions to the store when it is there', async () => {
    await keepKit(store, kit);
    expect(await keepKit(watched(), kit)).toBe(false);
    expect(calls).toEqual([`stat kit/holdfast-kit-${digest}.mjs`, `stat kit/README-${digest}.txt`]);
  });

  it('of a newer program is put beside the old one, which stays', async () => {
    await keepKit(store, kit);
    await keepKit(store, { ...kit, script: Buffer.from('console.log(2)') });
    expect((await Array.fromAsync(store.list('kit/'))).map(({ name }) => name)).toHaveLength(4);
  });

  it('that was put in half by a killed run is completed', async () => {
    const [script] = kitFiles(kit);
    await store.put(`kit/${script.file}`, script.bytes);
    expect(await keepKit(store, kit)).toBe(true);
    expect((await Array.fromAsync(store.list('kit/')))).toHaveLength(2);
  });

  it('whose script somebody deleted gets it back, and the page stays as it is', async () => {
    await keepKit(store, kit);
    await store.remove(`kit/holdfast-kit-${digest}.mjs`);
    expect(await keepKit(watched(), kit)).toBe(true);
    expect(calls.filter((call) => call.startsWith('put'))).toEqual([`put kit/holdfast-kit-${digest}.mjs`]);
  });

  it.each([
    ['a script that is what its name says', `kit/holdfast-kit-${digest}.mjs`, kit.script, undefined],
    ['a script that was changed', `kit/holdfast-kit-${digest}.mjs`, Buffer.from('console.log(3)'), `wanted ${digest}`],
    ['a page', `kit/README-${digest}.txt`, kit.page, undefined],
    ['anything else', 'kit/node_modules/fs-xattr/index.js', kit.page, 'no recovery kit has such a file'],
  ])('%s is told from what was put there by others', (_, name, bytes, problem) => {
    expect(kitProblem(name, bytes) ?? 'none').toContain(problem ?? 'none');
  });
});
