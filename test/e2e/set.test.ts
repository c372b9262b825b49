import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, ended } from './program.ts';

/** Two parts; the second waits while a file is there. */
async function shop(more: string): Promise<Person> {
  const person = new Person();
  writeFileSync(person.path('work', 'holdfast.yaml'), `
vaults: { v: { directory: ../vault, key-file: ../key } }
plans:
  shop: { source: { type: set, parts: { config: { type: files, paths: [holdfast.yaml] }, out: { type: command, command: "echo read >> ../story; while [ -e ../slow ]; do sleep 0.02; done; seq 1 1000", stdin-name: numbers.txt } }${more} } }
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
});
