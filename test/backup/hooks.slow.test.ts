import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withHooks } from '../../lib/backup/hooks.ts';
import type { HookReport } from '../../lib/backup/hook-report.ts';
import type { BackupOutcome } from '../../lib/backup/run-backup.ts';
import type { ResolvedHook, ResolvedHooks } from '../../lib/config/hooks-schema.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { backUp, objectNames, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

const line = (command: string | readonly string[], timeoutMs = 60_000): ResolvedHook => ({ command, timeoutMs });

interface Ran {
  readonly outcome: BackupOutcome | undefined;
  readonly error: { readonly code?: string; readonly message?: string; readonly nextStep?: string } | undefined;
  readonly reports: readonly HookReport[];
  readonly backups: number;
}

/** A real run with these commands around it; they work in `folder`. */
async function run(hooks: ResolvedHooks, folder: string, over: { readonly signal?: AbortSignal; readonly work?: () => Promise<BackupOutcome>; readonly secrets?: readonly string[]; readonly clock?: typeof systemClock; readonly onHook?: () => void } = {}): Promise<Ran> {
  const source = temporaryFolder();
  writeFileSync(join(source, 'file'), 'content of it');
  const repository = testRepository();
  const reports: HookReport[] = [];
  const { signal = new AbortController().signal } = over;
  const ports = { environment: { PATH: process.env['PATH'], MINE: 'seen', HOLDFAST_BACKUP: 'of another run', ...over.secrets?.length && { TOKEN: over.secrets[0] } }, folder, secrets: over.secrets ?? [], clock: over.clock ?? systemClock, signal, onHook: (report: HookReport) => (reports.push(report), over.onHook?.()) };
  const work = over.work ?? (() => backUp(repository, source, { ports: { signal, startThread: threadInProcess } }));
  const settled = await withHooks({ plan: 'shop', run: 'R1', type: 'incremental', hooks }, ports, work).then((outcome) => ({ outcome, error: undefined }), (error: Ran['error']) => ({ outcome: undefined, error }));
  return { ...settled, reports, backups: (await objectNames(repository.store, 'snapshots/')).length };
}

const variablesIn = (file: string) => Object.fromEntries(readFileSync(file, 'utf8').trim().split('\n').map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
const tell = (name: string) => line(`env | grep -E '^(HOLDFAST_|MINE)' > ${name}; echo ${name} >> order`);

async function expectGone(pid: number): Promise<void> {
  for (let tries = 0; tries < 200 && existsSync(`/proc/${pid}`); tries++) await new Promise((resolve) => void setTimeout(resolve, 10));
  expect(existsSync(`/proc/${pid}`)).toBe(false);
}

describe('commands around a run', () => {
  let folder: string;
  beforeEach(() => (folder = temporaryFolder()));
  const order = () => readFileSync(join(folder, 'order'), 'utf8').trim().split('\n');

  it('run before and after a good one, told what happened, and no other one runs', async () => {
    const { outcome, reports, backups } = await run({ before: tell('before'), after: tell('after'), onFailure: tell('failure') }, folder);
    expect([backups, outcome?.afterwards, order()]).toEqual([1, undefined, ['before', 'after']]);
    expect(variablesIn(join(folder, 'before'))).toEqual({ MINE: 'seen', HOLDFAST_HOOK: 'before', HOLDFAST_PLAN: 'shop', HOLDFAST_RUN: 'R1', HOLDFAST_TYPE: 'incremental', HOLDFAST_STATE: 'running' });
    expect(variablesIn(join(folder, 'after'))).toMatchObject({ HOLDFAST_HOOK: 'after', HOLDFAST_STATE: 'completed', HOLDFAST_BACKUP: outcome?.manifest.backup, HOLDFAST_BYTES: '13', HOLDFAST_FILES: '1', HOLDFAST_STORED_BYTES: String(outcome?.statistics.storedBytes), HOLDFAST_WARNINGS: '0' });
    expect(variablesIn(join(folder, 'after'))).not.toHaveProperty('HOLDFAST_ERROR_CODE');
    expect(reports.map(({ hook, complaint }) => [hook, complaint])).toEqual([['before', undefined], ['after', undefined]]);
  });

  it.each([
    ['ends with an exit code', line('echo the disk is not mounted >&2; echo look; exit 3'), /^The command `.*` before the run ended with exit code 3, wanted 0\. It said: (the disk is not mounted \| look|look \| the disk is not mounted)$/],
    ['is killed', line('kill -KILL $$'), /was killed by SIGKILL, wanted exit code 0\.$/],
    ['is not there', line(['no-such-program-at-all']), /could not be started \(ENOENT\)/],
    ['has a pipe of which a part fails', line('exit 4 | cat'), /ended with exit code 4, wanted 0/],
    ['takes longer than its time', line('echo waiting; sleep 1000', 300), /took longer than 0\.3 s and was ended with everything that it started\. It said: waiting$/],
  ])('before a run fail it when one %s: nothing is read or kept, and on-failure hears of it', async (_what, before, message) => {
    let isRead = false;
    const { error, backups, reports } = await run({ before, after: tell('after'), onFailure: tell('failure') }, folder, { work: async () => { isRead = true; throw new Error('unreachable'); } });
    expect(error).toMatchObject({ code: 'source-failed', message: expect.stringMatching(message) as string, nextStep: expect.stringContaining('hooks.before') as string });
    expect([isRead, backups, order()]).toEqual([false, 0, ['failure']]);
    expect(variablesIn(join(folder, 'failure'))).toMatchObject({ HOLDFAST_STATE: 'failed', HOLDFAST_ERROR_CODE: 'source-failed', HOLDFAST_ERROR_MESSAGE: error?.message });
    expect(reports).toHaveLength(2);
  });

  it.each([
    ['fails', line('echo cannot start the shop; exit 7'), /after the run ended with exit code 7, wanted 0\. It said: cannot start the shop The backup is committed and not touched by this\.$/],
    ['hangs', line('sleep 1000', 300), /took longer than 0\.3 s/],
  ])('after a run that %s adds a warning, and the backup stays what it is', async (_what, after, message) => {
    const { outcome, backups, error } = await run({ after, onFailure: tell('failure') }, folder);
    expect([error, backups, existsSync(join(folder, 'order'))]).toEqual([undefined, 1, false]);
    expect(outcome?.afterwards).toEqual([expect.stringMatching(message)]);
    expect(outcome?.manifest.warnings).toEqual([]);
  });

  it('cannot turn a failure into a success, nor hide its reason', async () => {
    const failing = () => Promise.reject(new HoldfastError('no-space', 'The disk is full.'));
    for (const onFailure of [line('exit 0'), line('exit 9'), line('sleep 1000', 200), line(['no-such-program-at-all'])]) {
      expect((await run({ after: tell('after'), onFailure }, folder, { work: failing })).error).toMatchObject({ code: 'no-space', message: 'The disk is full.' });
    }
    expect(existsSync(join(folder, 'order'))).toBe(false);
  });

  it('on failure see the code of a backup that failed, and a bug as such', async () => {
    await run({ onFailure: tell('failure') }, folder, { work: () => Promise.reject(new HoldfastError('no-space', 'The disk\0 is full.')) });
    expect(variablesIn(join(folder, 'failure'))).toMatchObject({ HOLDFAST_STATE: 'failed', HOLDFAST_ERROR_CODE: 'no-space', HOLDFAST_ERROR_MESSAGE: 'The disk is full.' });
    await run({ onFailure: tell('failure') }, folder, { work: () => Promise.reject(new TypeError('x is not a function')) });
    expect(variablesIn(join(folder, 'failure'))).toMatchObject({ HOLDFAST_ERROR_CODE: 'broken-invariant' });
  });

  it('are ended as a group when the run is stopped, and on-failure still sets going again what was halted', async () => {
    const stop = new AbortController();
    const begun = join(folder, 'pid');
    const timer = setInterval(() => existsSync(begun) && readFileSync(begun, 'utf8') !== '' && stop.abort(new HoldfastError('interrupted', 'Stopped by SIGINT.')), 20);
    const { error, backups } = await run({ before: line('sh -c "sleep 1000 & echo \\$! > pid; wait"'), onFailure: tell('failure') }, folder, { signal: stop.signal });
    clearInterval(timer);
    expect([error?.code, backups]).toEqual(['interrupted', 0]);
    await expectGone(Number(readFileSync(begun, 'utf8')));
    expect(variablesIn(join(folder, 'failure'))).toMatchObject({ HOLDFAST_STATE: 'cancelled', HOLDFAST_ERROR_CODE: 'interrupted', HOLDFAST_ERROR_MESSAGE: 'Stopped by SIGINT.' });
  });

  it('after a committed run that is stopped have half a minute left, and do not take its backup away', async () => {
    const stop = new AbortController();
    const timer = setInterval(() => existsSync(join(folder, 'begun')) && stop.abort(new HoldfastError('interrupted', 'Stopped.')), 20);
    const hurried = { now: systemClock.now, sleep: (milliseconds: number, signal?: AbortSignal) => systemClock.sleep(milliseconds === 30_000 ? 100 : milliseconds, signal) };
    const { outcome, backups, reports } = await run({ after: line('touch begun; sleep 1000'), onFailure: tell('failure') }, folder, { signal: stop.signal, clock: hurried });
    clearInterval(timer);
    expect(outcome?.afterwards).toEqual([expect.stringMatching(/was ended because the run was stopped/)]);
    expect([backups, reports.length]).toEqual([1, 1]);
  });

  it.each(['after', 'onFailure'] as const)('set going again what was halted when the stop comes before or amid %s', async (hook) => {
    const good = (await run({}, folder)).outcome as BackupOutcome;
    for (const isAmid of [false, true]) {
      const stop = new AbortController();
      const halt = () => stop.abort(new HoldfastError('interrupted', 'Stopped.'));
      const timer = setInterval(() => isAmid && existsSync(join(folder, 'begun')) && halt(), 20);
      const work = async () => {
        if (!isAmid) halt();
        if (hook === 'onFailure') throw new HoldfastError('no-space', 'The disk is full.');
        return good;
      };
      const { reports } = await run({ [hook]: line(`touch begun; sleep 0.5; echo ${isAmid} >> order`) }, folder, { signal: stop.signal, work });
      clearInterval(timer);
      expect([stop.signal.aborted, reports.map(({ complaint }) => complaint)]).toEqual([true, [undefined]]);
    }
    expect(order()).toEqual(['false', 'true']);
  });

  it('for a run that was stopped have half a minute at most', async () => {
    const stop = new AbortController();
    stop.abort(new HoldfastError('interrupted', 'Stopped.'));
    const asked: number[] = [];
    const hurried = { now: systemClock.now, sleep: (milliseconds: number, signal?: AbortSignal) => (asked.push(milliseconds), systemClock.sleep(Math.min(milliseconds, 100), signal)) };
    const { reports } = await run({ onFailure: line('sleep 1000', 3_600_000) }, folder, { signal: stop.signal, clock: hurried, work: () => Promise.reject(new HoldfastError('interrupted', 'Stopped.')) });
    expect(reports).toMatchObject([{ complaint: expect.stringContaining('longer than 30 s') as string }]);
    expect(Math.max(...asked)).toBe(30_000);
  });

  it('show no secret in messages and reports (S8)', async () => {
    const secrets = ['correct horse'];
    const { error, reports } = await run({ before: line('echo "with $TOKEN"; echo "correct horse" >&2; exit 1') }, folder, { secrets });
    expect(JSON.stringify([error?.message, reports])).not.toContain('correct horse');
    expect(error?.message).toContain('***');
  });

  it('may leave a server running in the background after exit code 0, whether or not it closes its output', async () => {
    const { outcome, reports } = await run({ after: line('sleep 1000 & echo $! > pid; echo started') }, folder);
    const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
    expect([outcome?.afterwards, reports[0]?.said, existsSync(`/proc/${pid}`)]).toEqual([undefined, 'started', true]);
    process.kill(pid, 'SIGKILL');
  });
});
