import { timeInWords } from '../../lib/cli/words.ts';
import type { RunId } from '../../lib/model/ids.ts';
import { Desk } from './run-in-process.ts';
import { HOUR, MINUTE, NIGHT, NightStack, SECOND, planId } from './stack-in-process.ts';

let stack: NightStack;
beforeEach(() => {
  stack = new NightStack();
});
afterEach(() => stack.close());

async function failed(planName: string, error = { code: 'missing-key', message: 'The password was refused.', nextStep: 'Put the right one into the secret shop/orders-db.' }): Promise<RunId> {
  const { runId, fence } = await stack.started(planName);
  stack.clock.advance(14 * SECOND);
  await stack.ledger.endRun(runId, { to: 'failed', now: stack.clock.now(), fence, error });
  return runId;
}

describe('holdfast runs', () => {
  it('shows a failed run with its reason and what to do, newest first', async () => {
    const first = await failed('orders');
    stack.clock.advance(HOUR);
    const second = await stack.asked('media', {}, 'event');
    const { code, stdout } = await stack.run('runs');
    const lines = stdout.trimEnd().split('\n');
    expect(lines[1]).toMatch(new RegExp(`^${second}  media   event +queued`));
    expect(lines[3]).toMatch(new RegExp(`^${first}  orders  schedule ${timeInWords(NIGHT).slice(0, -3)}  failed  ${timeInWords(NIGHT)}    40 s  14 s$`));
    expect(lines.slice(4)).toEqual(['  missing-key The password was refused.', '  Next: Put the right one into the secret shop/orders-db.']);
    expect(code).toBe(0);
  });

  it('shows how far a run is and when it will be done', async () => {
    const { runId, fence } = await stack.started('orders');
    stack.clock.advance(2 * MINUTE);
    await stack.ledger.heartbeat(runId, fence, { now: stack.clock.now(), leaseUntil: stack.clock.now() + 3 * MINUTE, progress: { stage: 'reading', doneBytes: 1024 ** 3, totalBytes: 4 * 1024 ** 3 } });
    expect((await stack.run('runs', '--state', 'active')).stdout).toContain('  reading  1.0 GiB of 4.0 GiB  25 %  ETA 6 min 0 s\n');
    expect(await stack.json('runs')).toMatchObject([{ run: runId, plan: 'orders', state: 'running', etaMilliseconds: 6 * MINUTE, durationMilliseconds: 2 * MINUTE, silent: false }]);
  });

  it('says of a worker that went silent that it did, not how far it was', async () => {
    await stack.started('orders');
    stack.clock.advance(4 * MINUTE);
    expect((await stack.run('runs')).stdout).toContain(`  nothing was heard of its task since its lease ended at ${timeInWords(NIGHT + 40 * SECOND + 3 * MINUTE)}; the monitor ends it within minutes\n`);
    expect(await stack.json('runs')).toMatchObject([{ silent: true }]);
  });

  it('says what a queued run waits for: its plan, its vault, or ECS', async () => {
    const { runId: earlier } = await stack.started('orders');
    const later = await stack.asked('orders');
    const beside = await stack.asked('media');
    const standings = async () => Object.fromEntries((await stack.json('runs', '--state', 'queued')).map(({ run, standing }) => [run, standing]));
    const end = `; fails when it has not started by ${timeInWords(stack.clock.now() + HOUR)}`;
    expect(await standings()).toEqual({ [later]: `waits for run ${earlier} of the same plan${end}`, [beside]: `waits for a place in the vault main, where 1 run is at work${end}` });
    const admitted = await stack.ledger.admit(beside, { now: stack.clock.now(), leaseUntil: stack.clock.now() + MINUTE, vaultLimit: 2, planLimit: 1 });
    if (admitted.isAdmitted) await stack.ledger.requeue(beside, admitted.fence, { notBefore: stack.clock.now() + MINUTE, reason: 'RESOURCE:ENI' });
    expect((await standings())[beside]).toBe(`waits for its next attempt at ${timeInWords(stack.clock.now() + MINUTE)}; attempt 1 was refused: RESOURCE:ENI${end}`);
  });

  it('filters by plan and state and keeps to the limit', async () => {
    const bad = await failed('orders');
    const waiting = await stack.asked('media');
    expect((await stack.json('runs', '--state', 'failed')).map(({ run }) => run)).toEqual([bad]);
    expect((await stack.json('runs', '--plan', 'media')).map(({ run }) => run)).toEqual([waiting]);
    expect(await stack.json('runs', '--limit', '1')).toHaveLength(1);
    stack.clock.advance(MINUTE);
    const newer = await stack.asked('orders');
    expect((await stack.json('runs', '--state', 'active')).map(({ run }) => run)).toEqual([newer, waiting]);
    expect((await stack.json('runs', '--state', 'active', '--limit', '1')).map(({ run }) => run)).toEqual([newer]);
    expect((await stack.json('runs', '--state', 'active', '--plan', 'media')).map(({ run }) => run)).toEqual([waiting]);
    expect((await stack.run('runs', '--plan', 'media', '--state', 'running')).stdout).toBe('There is no such run.\n');
  });

  it('does not answer a mistyped plan with an empty list', async () => {
    const { code, stderr } = await stack.run('runs', '--plan', 'ordres');
    expect([code, stderr]).toEqual([1, 'holdfast: No plan ordres is known in the stack shop.\nDid you mean orders?\n']);
    expect((await stack.run('runs', '--plan', 'media')).code).toBe(0);
  });

  it('never prints the pinned plan in a list', async () => {
    await stack.asked('orders');
    expect((await stack.json('runs'))[0]).not.toHaveProperty('order');
  });
});

describe('holdfast runs show', () => {
  it('shows everything of one run, its task and the command that prints its log', async () => {
    const runId = await failed('orders');
    const { code, stdout } = await stack.run('runs', 'show', runId.toLowerCase().slice(0, 24));
    for (const line of [
      `run            ${runId}`, 'vault          main', `occurrence     orders/schedule/${new Date(NIGHT).toISOString()}`, 'state          failed',
      `started        ${timeInWords(NIGHT + 40 * SECOND)}, after 40 s`, `finished       ${timeInWords(NIGHT + 54 * SECOND)}, after 14 s`,
      'error          missing-key: The password was refused.', 'next step      Put the right one into the secret shop/orders-db.',
      'task           arn:aws:ecs:eu-central-1:000000000000:task/shop/orderstask', 'log stream     shop-backup-orders/worker/orderstask',
      "read it        aws logs get-log-events --log-group-name tasks --log-stream-name shop-backup-orders/worker/orderstask --start-from-head --query 'events[].[message]' --output text",
    ]) expect(stdout.split('\n')).toContain(line);
    expect(code).toBe(0);
  });

  it('says what became of older backups that were not whole, and what to do now (V1)', async () => {
    const { runId } = await stack.started('orders');
    await stack.ledger.noteHealing(runId, { state: 'open', message: '1 damaged pack could not be healed.', nextStep: 'Put it back from a copy.' });
    const lines = (await stack.run('runs', 'show', runId)).stdout.split('\n');
    expect(lines).toContain('older backups  not healed: 1 damaged pack could not be healed.');
    expect(lines).toContain('next step      Put it back from a copy.');
    expect(await stack.json('runs', 'show', runId)).toMatchObject([{ healing: { state: 'open', nextStep: 'Put it back from a copy.' } }]);
  });

  it('has the pinned plan and the place of the log for programs', async () => {
    const { runId } = await stack.started('orders');
    expect(await stack.json('runs', 'show', runId)).toMatchObject([{ type: 'run', run: runId, order: { name: 'orders' }, trigger: 'schedule', startedAt: new Date(NIGHT + 40 * SECOND).toISOString(), log: { logGroup: 'tasks' } }]);
  });

  it('says that no task was started, and that a run was caught up', async () => {
    const { stdout } = await stack.run('runs', 'show', await stack.asked('orders', {}, 'catch-up'));
    expect(stdout).toContain('task           none was started\n');
    expect(stdout).toContain(`trigger        caught up ${timeInWords(NIGHT).slice(0, -3)}\n`);
  });

  it.each([
    ['an unknown run', ['01KZZZ'], 1, 'holdfast: No run begins with 01KZZZ.\nRun `holdfast runs --aws shop` for the ids.\n'],
    ['the beginning of several', ['0'], 2, 'is the beginning of 2 runs'],
    ['an option of the list', ['01K', '--limit', '3'], 2, '--limit cannot be used with `runs show`'],
  ])('refuses %s', async (_what, args, exitCode, message) => {
    await stack.asked('orders');
    await stack.asked('media');
    const { code, stderr } = await stack.run('runs', 'show', ...args);
    expect(stderr).toContain(message);
    expect(code).toBe(exitCode);
  });
});

describe('runs of this machine', () => {
  const record = (id: string, over: object) => ({ runId: `01K${id.padEnd(23, '0')}` as RunId, planId: planId('home'), planName: 'home', type: 'incremental' as const, state: 'running' as const, queuedAt: NIGHT, startedAt: NIGHT, host: 'desk', processId: 7, ...over });

  it('are listed from the local catalog, also by a path that was backed up', async () => {
    await stack.catalog.recordRun(record('A', {}));
    await stack.catalog.recordRun(record('B', { planName: '/w/photos', planId: planId('photos'), state: 'failed', queuedAt: NIGHT + MINUTE, startedAt: NIGHT + MINUTE, finishedAt: NIGHT + 2 * MINUTE, error: { code: 'no-space', message: 'The disk is full.' } }));
    stack.clock.advance(5 * MINUTE);
    const { stdout, code } = await stack.here('runs');
    expect(stdout.split('\n').slice(1).map((line) => line.replaceAll(/ +/g, ' '))).toEqual([
      expect.stringContaining('/w/photos by hand failed'), ' no-space The disk is full.', expect.stringContaining('home by hand running'), ' at work for 5 min 0 s', '',
    ]);
    expect(code).toBe(0);
    expect((await stack.here('runs', '--plan', 'photos', '--json')).stdout.match(/"type":"run"/g)).toHaveLength(1);
    expect((await stack.here('runs', 'show', '01KA')).stdout).toContain('host     desk, process 7\n');
  });

  it('need a vault that is there', async () => {
    expect((await new Desk().run('runs')).code).toBe(10);
  });
});
