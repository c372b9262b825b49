import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROGRAM, Person, ended, filesBelow } from './program.ts';

/** A Node that is too old to run the program itself, if this machine has one. */
function olderNode(): string | undefined {
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node'));
  return places.find((place) => existsSync(place) && Number(/^v(\d+)/.exec(spawnSync(place, ['--version']).stdout.toString())?.[1] ?? 99) < 24);
}

const node = olderNode();
const withOlderNode = node === undefined ? describe.skip : describe;

withOlderNode('started by an older Node', () => {
  const start = (person: Person, args: readonly string[]) => spawn(node as string, [PROGRAM, ...args], { cwd: person.path('work'), env: person.environment, stdio: ['pipe', 'pipe', 'pipe'] });
  const slow = ['backup', '--command', 'echo begun; sleep 5', '--stdin-name', 'slow'];
  const isLocked = (person: Person) => existsSync(person.path('xdg', 'state')) && filesBelow(person.path('xdg', 'state')).some((file) => file.endsWith('.holder'));

  test('the program runs with the Node of its package; results and exit codes pass through', async () => {
    const person = new Person();
    expect((await ended(start(person, ['version', '--json']))).stdout).toMatch(/"node":"2[4-9]|"node":"[3-9]\d/);
    expect((await ended(start(person, ['list']))).code).toBe(10);
  });

  test('a signal to the starter stops the run cleanly', async () => {
    const person = new Person();
    const child = start(person, slow);
    const running = ended(child);
    while (!isLocked(person)) await sleep(20);
    child.kill('SIGINT');
    expect((await running).code).toBe(130);
  });

  test('when the starter is killed nothing goes on behind its back', async () => {
    const person = new Person();
    const child = start(person, slow);
    while (!isLocked(person)) await sleep(20);
    child.kill('SIGKILL');
    await sleep(300);
    expect((await person.run(['backup', '--command', 'echo x', '--stdin-name', 'slow'])).code).toBe(0);
  });
});
