import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { withComplaints } from '../../lib/backup/complaints.ts';
import { performLeasedRun } from '../../lib/backup/perform-leased-run.ts';
import type { LeasedRunEvent, LeasedRunPorts } from '../../lib/backup/perform-leased-run.ts';
import type { LedgerRun } from '../../lib/catalog/ledger-records.ts';
import { SqliteCatalog } from '../../lib/catalog/sqlite-catalog.ts';
import { SqliteLedger } from '../../lib/catalog/sqlite-ledger.ts';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { newUlid } from '../../lib/model/ids.ts';
import type { RunId } from '../../lib/model/ids.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { wrapStore } from '../../lib/stores/wrapping.ts';
import type { StoreCall } from '../../lib/stores/wrapping.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { TEST_PLAN, backUp, objectNames, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

interface Stage {
  readonly ledger: SqliteLedger;
  readonly catalog: SqliteCatalog;
  readonly repository: Repository;
  readonly runId: RunId;
  readonly events: LeasedRunEvent[];
  run(over?: Partial<LeasedRunPorts>): ReturnType<typeof performLeasedRun>;
  record(): Promise<LedgerRun | undefined>;
}

/** One run, admitted, with a folder to back up. */
async function admitted(fields: Partial<LedgerRun> = {}): Promise<Stage> {
  const file = join(temporaryFolder(), 'catalog.sqlite');
  const ledger = new SqliteLedger(file);
  const root = temporaryFolder();
  mkdirSync(join(root, 'folder'));
  writeFileSync(join(root, 'folder', 'file'), 'content');
  const now = Date.now();
  const runId = newUlid<RunId>(now);
  const key = `plan/manual/${runId}`;
  await ledger.claimOccurrence(
    { key, planName: TEST_PLAN.name, trigger: 'manual', at: now, runId, claimedAt: now },
    { runId, planId: TEST_PLAN.id, planName: TEST_PLAN.name, type: 'incremental', state: 'queued', queuedAt: now, host: 'stack', vault: 'main', occurrence: key, rank: now, notBefore: now, startBy: now + 60_000, attempts: 0, fence: 0, order: '{}', configHash: 'h', ...fields },
  );
  await ledger.admit(runId, { now, leaseUntil: now + 60_000, vaultLimit: 1, planLimit: 1 });
  const repository = testRepository();
  const events: LeasedRunEvent[] = [];
  const ports = (over: Partial<LeasedRunPorts>): LeasedRunPorts => ({
    ledger, clock: systemClock, holder: 'task-1', signal: new AbortController().signal, onEvent: (event) => void events.push(event),
    backUp: (run, runPorts) => backUp(repository, root, { run: run.runId, ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings), ...runPorts } }),
    ...over,
  });
  return { ledger, catalog: new SqliteCatalog(file), repository, runId, events, run: (over = {}) => performLeasedRun(runId, ports(over)), record: () => ledger.getLedgerRun(runId) };
}

function filled(): string {
  const root = temporaryFolder();
  writeFileSync(join(root, 'file'), 'content');
  return root;
}

/** Never due within a test; a timer of this length is real. */
const NEVER_MS = 2 ** 31 - 1;

/** Time passes by sleeping alone, however slow the machine is; between two sleeps everything else has its turn. */
class TurnTakingClock extends LeapingClock {
  override async sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    if (milliseconds === NEVER_MS) return systemClock.sleep(milliseconds, signal);
    await super.sleep(milliseconds, signal);
    await turn();
  }
}

/** Works until it is told to stop, as a backup of a large source does. */
const endless: LeasedRunPorts['backUp'] = (_run, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new HoldfastError('interrupted', 'The backup was interrupted')), { once: true }));

describe('a worker with its run (design, Life of a run)', () => {
  it('claims it, backs up, and ends it together with its backup', async () => {
    const { run, record, catalog, events } = await admitted();
    const outcome = await run();
    expect(await record()).toMatchObject({ state: 'completed', backupId: outcome?.manifest.backup });
    expect((await catalog.listBackups()).backups).toMatchObject([{ backupId: outcome?.manifest.backup, planName: 'plan', state: 'completed' }]);
    expect(events.map(({ event }) => event)).toEqual(['claimed', 'ended']);
  });

  it('a second task for the same run does nothing and is no failure', async () => {
    const { run, events } = await admitted();
    await run();
    expect(await run({ holder: 'task-2' })).toBeUndefined();
    expect(events.at(-1)).toEqual({ event: 'not-ours' });
  });

  it('a failure ends the run with its reason and no backup', async () => {
    const { run, record, catalog } = await admitted();
    await expect(run({ backUp: () => Promise.reject(new HoldfastError('source-failed', 'pg_dump ended with exit code 1.', { nextStep: 'Read its message.' })) })).rejects.toThrow('pg_dump ended');
    expect(await record()).toMatchObject({ state: 'failed', error: { code: 'source-failed', message: 'pg_dump ended with exit code 1.' } });
    expect((await catalog.listBackups()).backups).toEqual([]);
  });

  it('keeps its lease while it works, and shows how far it is', async () => {
    const { run, record } = await admitted();
    const stop = new AbortController();
    const clock = new TurnTakingClock(Date.now());
    const begun = clock.now();
    const working = run({
      heartbeatMs: 10, leaseMs: 200, signal: stop.signal, clock,
      backUp: (claimed, ports) => {
        ports.onProgress?.({ phase: 'storing', entries: 1, files: 1, bytes: 700, totalBytes: 1000, storedBytes: 1 });
        return endless(claimed, ports);
      },
    });
    while (clock.now() < begun + 1000) await turn();
    const seen = await record();
    stop.abort(new HoldfastError('interrupted', 'enough'));
    await expect(working).rejects.toMatchObject({ code: 'interrupted' });
    expect(seen).toMatchObject({ state: 'running', progress: { doneBytes: 700, totalBytes: 1000 } });
    // Five leases later.
    expect(seen?.leaseUntil).toBeGreaterThanOrEqual(begun + 1000);
  });

  it('a zombie whose run was ended stops, stores no snapshot and changes nothing', async () => {
    const { run, ledger, runId, record, repository } = await admitted();
    let wake: () => void = () => undefined;
    const asleep = new Promise<void>((resolve) => (wake = resolve));
    const working = run({
      backUp: async (claimed, ports) => {
        await asleep;
        return backUp(repository, temporaryFolder(), { run: claimed.runId, ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings), ...ports } });
      },
    });
    await sleep(50);
    const before = await record();
    await ledger.endRun(runId, { to: 'failed', now: Date.now(), expected: { state: 'running', fence: before?.fence ?? 0 }, error: { code: 'unavailable', message: 'its lease ended' } });
    wake();
    await expect(working).rejects.toMatchObject({ code: 'stale' });
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
    expect(await record()).toMatchObject({ state: 'failed', error: { message: 'its lease ended' } });
  });

  it('one whose lease ended before the commit does not commit, even when nobody noticed', async () => {
    const { run, repository } = await admitted();
    await expect(run({
      leaseMs: 50, heartbeatMs: 100_000,
      backUp: async (claimed, ports) => {
        await sleep(120);
        return backUp(repository, temporaryFolder(), { run: claimed.runId, ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings), ...ports } });
      },
    })).rejects.toMatchObject({ code: 'stale' });
    expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
  });

  it('stops when nobody can be told for a whole lease that it lives', async () => {
    const { run, ledger, events } = await admitted();
    const deaf: LeasedRunPorts['ledger'] = { claimRun: ledger.claimRun.bind(ledger), beginCommit: ledger.beginCommit.bind(ledger), endRun: ledger.endRun.bind(ledger), heartbeat: () => Promise.reject(new HoldfastError('unavailable', 'DynamoDB does not answer')) };
    await expect(run({ ledger: deaf, leaseMs: 60, heartbeatMs: 10, backUp: endless })).rejects.toMatchObject({ code: 'stale' });
    expect(events.some(({ event }) => event === 'heartbeat-failed')).toBe(true);
  });

  it('one that takes longer than its plan allows is stopped and ends as failed with that reason', async () => {
    const { run, record } = await admitted({ stopBy: Date.now() + 50 });
    await expect(run({ heartbeatMs: 20, backUp: endless })).rejects.toThrow("maximum duration");
    expect(await record()).toMatchObject({ state: 'failed', error: { code: 'interrupted' } });
  });

  it('one that began early has no more time than its plan allows, whenever the control plane would stop it', async () => {
    const { run, record } = await admitted({ stopBy: Date.now() + 3_600_000 });
    await expect(run({ heartbeatMs: 20, maxDurationMs: () => 50, backUp: endless })).rejects.toThrow('maximum duration');
    expect(await record()).toMatchObject({ state: 'failed' });
  });

  it.each([
    ['the answer to the snapshot is lost for good', (call: StoreCall) => call.operation === 'put' && call.name.startsWith('snapshots/')],
    ['the look at the stored snapshot fails', (call: StoreCall) => call.operation === 'stat' && call.name.startsWith('snapshots/')],
  ])('when %s after the commit began, it says nothing of failure: the vault is asked', async (_what, isLost) => {
    const { run, record, repository, events } = await admitted();
    const store = wrapStore(repository.store, {
      async call(call, perform) {
        const result = await perform();
        if (isLost(call)) throw new HoldfastError('unavailable', 'the answer was lost');
        return result;
      },
    });
    const outcome = run({ backUp: (claimed, ports) => backUp({ ...repository, store }, filled(), { run: claimed.runId, ports: { startThread: (settings: CrunchSettings) => threadInProcess(settings), ...ports } }) });
    await expect(outcome).rejects.toMatchObject({ code: 'unavailable' });
    expect(await objectNames(repository.store, 'snapshots/')).toHaveLength(1);
    expect(await record()).toMatchObject({ state: 'committing' });
    expect(events.at(-1)).toMatchObject({ event: 'end-not-recorded' });
  });

  it('a ledger that is away while it ends is asked again, and run and backup stand together', async () => {
    const { run, ledger, record, catalog } = await admitted();
    let refusals = 3;
    const away: LeasedRunPorts['ledger'] = {
      claimRun: ledger.claimRun.bind(ledger), heartbeat: ledger.heartbeat.bind(ledger), beginCommit: ledger.beginCommit.bind(ledger),
      endRun: (runId, end) => (refusals-- > 0 ? Promise.reject(new HoldfastError('unavailable', 'DynamoDB does not answer')) : ledger.endRun(runId, end)),
    };
    const outcome = await run({ ledger: away, leaseMs: 400, heartbeatMs: NEVER_MS, clock: new TurnTakingClock(Date.now()) });
    expect(await record()).toMatchObject({ state: 'completed', backupId: outcome?.manifest.backup });
    expect((await catalog.listBackups()).backups).toHaveLength(1);
  });

  it('a ledger that stays away leaves the run committing, never failed, beside its backup', async () => {
    const { run, ledger, record, repository } = await admitted();
    const away: LeasedRunPorts['ledger'] = {
      claimRun: ledger.claimRun.bind(ledger), heartbeat: ledger.heartbeat.bind(ledger), beginCommit: ledger.beginCommit.bind(ledger),
      endRun: () => Promise.reject(new HoldfastError('unavailable', 'DynamoDB does not answer')),
    };
    await expect(run({ ledger: away, leaseMs: 200, heartbeatMs: NEVER_MS, clock: new TurnTakingClock(Date.now()) })).rejects.toMatchObject({ code: 'unavailable' });
    expect(await record()).toMatchObject({ state: 'committing' });
    expect(await objectNames(repository.store, 'snapshots/')).toHaveLength(1);
  });

  it('a signal to stop does not hide that something stands still since: the record begins with it (P4)', async () => {
    const { run, record } = await admitted();
    const stop = new AbortController();
    setTimeout(() => stop.abort(new HoldfastError('interrupted', 'The task was asked to stop (SIGTERM).')), 30);
    const lame: LeasedRunPorts['backUp'] = (_run, { signal }) => new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(withComplaints(new HoldfastError('interrupted', 'The backup was interrupted'), ['The shop stands still.'])), { once: true }));
    await expect(run({ signal: stop.signal, backUp: lame })).rejects.toMatchObject({ code: 'interrupted' });
    expect(await record()).toMatchObject({ state: 'failed', error: { message: 'The shop stands still. And there is no backup: The task was asked to stop (SIGTERM).' } });
  });

  it('a signal to stop ends it as failed, with a reason, so that somebody is told', async () => {
    const { run, record } = await admitted();
    const stop = new AbortController();
    setTimeout(() => stop.abort(new HoldfastError('interrupted', 'The task was asked to stop (SIGTERM).')), 30);
    await expect(run({ signal: stop.signal, backUp: endless })).rejects.toMatchObject({ code: 'interrupted' });
    expect(await record()).toMatchObject({ state: 'failed', error: { code: 'interrupted', message: 'The task was asked to stop (SIGTERM).' } });
  });
});
