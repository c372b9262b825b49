import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, describeTree, ended } from './program.ts';

/** Three parts that need no server; `slow` waits for a file. */
async function shop(more = ''): Promise<Person> {
  const person = new Person();
  mkdirSync(person.path('work', 'uploads', 'deep'), { recursive: true });
  for (let index = 0; index < 20; index++) writeFileSync(person.path('work', 'uploads', 'deep', `photo ${index}`), `photo ${index}`);
  const database = new DatabaseSync(person.path('work', 'app.db'));
  database.exec('create table t (a); insert into t values (1), (2)');
  database.close();
  writeFileSync(person.path('work', 'holdfast.yaml'), `
vaults: { v: { directory: ../vault, key-file: ../key } }
plans:
  shop: { source: { type: set, parts: { db: { type: sqlite, path: app.db }, uploads: { type: files, paths: [uploads] }, out: { type: command, command: "echo read >> ../story; while [ -e ../slow ]; do sleep 0.02; done; seq 1 1000", stdin-name: numbers.txt } }${more} } }
  one: { source: { type: files, paths: [uploads] } }
`);
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  return person;
}

const HALTING = ', quiesce: "echo halted >> ../story", resume: "sleep 0.3; echo going >> ../story"';
const story = (person: Person) => (existsSync(person.path('story')) ? readFileSync(person.path('story'), 'utf8').trim().split('\n') : []);

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; tries < 1000 && !condition(); tries++) await sleep(20);
  expect(condition()).toBe(true);
}

describe('a plan of several sources', () => {
  it('is listed, shown, searched, compared, exported, verified and restored as a set and by part (P4, R1, K9)', async () => {
    const person = await shop();
    const backup = await person.do(['backup', 'shop']);
    expect(backup.stdout).toMatch(/part db: sqlite, .*app\.db; 1 file, .*\n {2}part uploads: files, .*uploads; 20 files, .*\n {2}part out: command, .*; 1 file/);
    expect((await person.do(['ls', 'latest'])).stdout.trim().split('\n').map((row) => row.split('  ').at(-1))).toEqual(['db/', 'out/', 'uploads/']);
    expect((await person.do(['show', 'latest'])).stdout).toMatch(/snapshot, number 1 of its plan[^]*part db: [^]*part uploads: [^]*part out: [^]*out\/numbers\.txt: /);
    expect((await person.do(['find', 'photo 7'])).stdout).toContain('uploads/deep/photo 7');
    expect((await person.do(['cat', 'latest', 'out/numbers.txt'])).stdout).toMatch(/^1\n2\n[^]*1000\n$/);
    await person.do(['verify', '--level', 'full']);
    await person.do(['restore', 'latest', '--to', '../all']);
    expect(describeTree(person.path('all', 'uploads'))).toEqual(describeTree(person.path('work', 'uploads')));
    await person.do(['restore', 'latest', '--part', 'uploads', '--to', '../alone']);
    expect(describeTree(person.path('alone'))).toEqual(describeTree(person.path('work', 'uploads')));
    await person.do(['restore', 'latest', '--part', 'uploads', '--to', '../some', 'deep/photo 1*']);
    expect(describeTree(person.path('some')).filter((row) => row.includes('photo')).length).toBe(11);
    // A part that has no folder of its own leaves the target's as it is.
    mkdirSync(person.path('mine'), { mode: 0o751 });
    await person.do(['restore', 'latest', '--part', 'db', '--to', '../mine']);
    expect(describeTree(person.path('mine'))[0]).toMatch(/40751/);
    const restored = new DatabaseSync(person.path('mine', 'app.db'));
    expect(restored.prepare('select count(*) as n from t').get()).toEqual({ n: 2 });
    restored.close();
    expect((await person.do(['diff', 'latest', '--part', 'uploads', '--with', 'uploads', '--content'])).stdout).toContain('are the same');
    mkdirSync(person.path('exports'));
    for (const args of [[], ['--part', 'uploads'], ['--part', 'db'], ['out/**']]) await person.do(['export', 'latest', ...args, '--to', '../exports/']);
    const names = describeTree(person.path('exports')).map((row) => row.split(' ')[0] ?? '').filter((name) => name !== '' && !/\.(json|sha256)$/.test(name));
    expect(names.map((name) => name.replace(/\d{8}T\d{6}Z/, 'TIME'))).toEqual(['app.db', 'numbers.txt', 'shop-TIME.tar.zst', 'shop-uploads-TIME.tar.zst']);
    const metadata = JSON.parse(readFileSync(person.path('exports', 'app.db.json'), 'utf8')) as { backup: { parts: { name: string }[]; source: { type: string } } };
    expect([metadata.backup.parts.map(({ name }) => name), metadata.backup.source.type]).toEqual([['db'], 'sqlite']);
    expect(person.said).not.toMatch(/undefined/);
  });

  it('what takes one source names the parts, a part that is not there is told with those that are (R1)', async () => {
    const person = await shop();
    await person.do(['backup', 'shop']);
    await person.do(['backup', 'one']);
    for (const target of [['--to-database', 'postgres://a@localhost/b'], ['--to-bucket', 's3://bucket/x'], ['--to-data-directory', '../pg']]) {
      const refused = await person.run(['restore', 'latest:shop', ...target]);
      expect([refused.code, refused.stderr]).toEqual([2, expect.stringMatching(/is one of several sources, wanted the name of one with --part: db \(sqlite\), uploads \(files\), out \(command\)/)]);
    }
    expect(await person.run(['restore', 'latest:shop', '--part', 'upload', '--to', '../x'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/has no part upload, wanted one of db, uploads, out \(did you mean "uploads"\?\)/) });
    expect(await person.run(['restore', 'latest:one', '--part', 'db', '--to', '../x'])).toMatchObject({ code: 1, stderr: expect.stringMatching(/has no parts: it is one of files alone/) });
    expect(existsSync(person.path('x'))).toBe(false);
  });

  it('Ctrl-C while a part is read: no backup, exit code 130, and what stood still goes again (P4)', async () => {
    const person = await shop(HALTING);
    writeFileSync(person.path('slow'), '');
    const child = person.start(['backup', 'shop']);
    const end = ended(child);
    await until(() => story(person).includes('read'));
    child.kill('SIGINT');
    expect([(await end).code, story(person), await person.json(['list'])]).toEqual([130, ['halted', 'read', 'going'], []]);
  });

  it.each(['SIGKILL', 'a second Ctrl-C'])('killed while a part is read (%s): what stood still is set going by the shell that watches (P4)', async (how) => {
    const person = await shop(HALTING.replace('sleep 0.3; ', how === 'SIGKILL' ? '' : '[ -e ../slow ] && sleep 1000; '));
    writeFileSync(person.path('slow'), '');
    const child = person.start(['backup', 'shop']);
    const end = ended(child);
    await until(() => story(person).includes('read'));
    if (how !== 'SIGKILL') {
      child.kill('SIGINT');
      await sleep(700); // Signals closer together are one.
      rmSync(person.path('slow'));
    }
    child.kill(how === 'SIGKILL' ? 'SIGKILL' : 'SIGINT');
    await until(() => story(person).includes('going'));
    expect((await end).stderr).toMatch(/holdfast was killed while others stood still for it: done: /);
    expect(story(person)).toEqual(['halted', 'read', 'going']);
  });

  it('doctor says whether its commands and its containers are there (P4)', async () => {
    const person = await shop(', quiesce: "no-such-command on", resume: "echo going", stop-containers: [web], container-program: podman');
    const checks = (await person.run(['doctor', '--json'])).stdout.trim().split('\n').map((row) => JSON.parse(row) as { check?: string; result?: string; seen?: string });
    expect(checks.find(({ check }) => check === 'can run its commands')).toMatchObject({ result: 'failed', seen: 'not in PATH: no-such-command of plan shop' });
    expect(checks.find(({ check }) => check === 'can stop the containers of shop')).toMatchObject({ result: 'failed', seen: expect.stringMatching(/The container web could not be looked at|podman is not in PATH/) });
  });

  it('a resume that fails is the first thing that is said, the backup is there, exit code 3 (P4)', async () => {
    const person = await shop(', quiesce: "true", resume: "echo nobody answers >&2; exit 6"');
    const ran = await person.run(['backup', 'shop']);
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringMatching(/exit code 6, wanted 0\. It said: nobody answers What the command was to set going again may stand still: look at it now/)]);
    expect((await person.json<{ state: string }>(['runs']))[0]).toMatchObject({ state: 'warnings' });
    expect(await person.json(['list'])).toHaveLength(1);
  });
});
