import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { Person, ended } from './program.ts';

interface Result { readonly backup: string; readonly state: string; readonly notes: readonly string[]; readonly hooks: readonly { readonly hook: string; readonly said: string }[] }

async function withPlan(hooks: string): Promise<Person> {
  const person = new Person({ DB_PASSWORD: 'correct horse' });
  writeFileSync(person.path('work', 'data'), 'content');
  writeFileSync(person.path('work', 'holdfast.yaml'), `vaults: { v: { directory: ../vault, key-file: ../key } }\nplans:\n  shop:\n    source: { type: files, paths: [data] }\n    hooks: ${hooks}\n  db: { source: { type: postgres, host: h, database: d, user: u, password: "\${env:DB_PASSWORD}" } }\n`);
  await person.do(['init', '--no-yaml', '--vault', '../vault', '--key-file', '../key']);
  return person;
}

describe('holdfast backup with commands around the run', () => {
  test('shows what they said, and a failing one after the commit is a warning with exit code 3', async () => {
    const person = await withPlan('{ before: "echo ready", after: { command: "echo $HOLDFAST_BACKUP; env | grep -c horse; exit 4", timeout: 5s } }');
    const ran = await person.run(['backup', 'shop', '--json']);
    expect([ran.code, ran.stderr]).toEqual([3, expect.stringContaining('shop: The command `echo ready` before the run ended with exit code 0')]);
    const result = JSON.parse(ran.stdout) as Result;
    expect(result).toMatchObject({ state: 'completed', hooks: [{ hook: 'before', said: 'ready' }, { hook: 'after', said: `${result.backup} | 0` }], notes: [expect.stringContaining('ended with exit code 4')] });
    expect((await person.json<{ state: string }>(['runs']))[0]).toMatchObject({ state: 'warnings' });
  });

  test('a failing one before the run leaves no backup, exit code 1, its words', async () => {
    const person = await withPlan('{ before: "echo not mounted >&2; exit 5", on-failure: "echo $HOLDFAST_ERROR_CODE > ../told" }');
    const ran = await person.run(['backup', 'shop']);
    expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/before the run ended with exit code 5, wanted 0\. It said: not mounted/)]);
    expect(readFileSync(person.path('told'), 'utf8')).toBe('source-failed\n');
    expect(existsSync(person.path('vault', 'snapshots'))).toBe(false);
    expect((await person.json<{ state: string }>(['runs']))[0]).toMatchObject({ state: 'failed', error: { code: 'source-failed' } });
  });

  test('Ctrl-C ends one that is under way with its children; a second Ctrl-C also the one for the failure', async () => {
    const person = await withPlan('{ before: "sleep 1000 & echo $! > ../first; wait", on-failure: "sleep 1000 & echo $! > ../second; wait" }');
    const child = person.start(['backup', 'shop']);
    const end = ended(child);
    const pidIn = async (name: string) => {
      while (!existsSync(person.path(name)) || readFileSync(person.path(name), 'utf8') === '') await sleep(20);
      return Number(readFileSync(person.path(name), 'utf8'));
    };
    const first = await pidIn('first');
    child.kill('SIGINT');
    const second = await pidIn('second');
    expect(existsSync(`/proc/${first}`)).toBe(false);
    await sleep(600); // Signals closer together are one (bin/holdfast-main.ts).
    child.kill('SIGINT');
    expect((await end).code).toBe(130);
    for (let tries = 0; tries < 100 && existsSync(`/proc/${second}`); tries++) await sleep(20);
    expect(existsSync(`/proc/${second}`)).toBe(false);
  });
});
