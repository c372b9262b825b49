import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { HookReport } from '../../lib/backup/hook-report.ts';
import { CommandStandstill } from '../../lib/backup/standstill.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import { filesSource } from '../../lib/sources/files.ts';
import { sourceSet } from '../../lib/sources/set.ts';
import { startPodman } from '../support/aws-rig/private-podman.ts';
import type { PrivatePodman } from '../support/aws-rig/private-podman.ts';
import { backUp, heldBy, objectNames, testRepository } from '../support/run-backup.ts';

const place = mkdtempSync(join(tmpdir(), 'holdfast-containers-'));
const inPlace = (...names: string[]) => join(place, ...names);
let podman: PrivatePodman;
beforeAll(async () => {
  podman = await startPodman({ root: join(__dirname, '..', '..'), folder: place, hostAddress: '127.0.0.1' });
  makeRoot();
}, 60_000);
afterAll(async () => {
  await podman?.stop();
  rmSync(place, { recursive: true, force: true });
});

/** A root of a container with a shell and nothing else. */
function makeRoot(): void {
  const programs = ['/bin/dash', '/bin/sleep'];
  const libraries = execFileSync('ldd', programs, { encoding: 'utf8' }).match(/\/\S+(?= \()/g) ?? [];
  for (const path of new Set([...programs, ...libraries])) {
    mkdirSync(join(inPlace('root'), dirname(path)), { recursive: true });
    copyFileSync(path, join(inPlace('root'), path));
  }
}

/** A container that works in the volume `data`; one that is told to end writes what it still had. */
async function container(name: string, { isDeaf = false, isStarted = true } = {}): Promise<void> {
  const onTerm = isDeaf ? '' : `echo "${name} flushed" >> /data/log; exit 0`;
  await podman.run(['create', '--name', name, '--label', `holdfast.rig=${place}`, '--network', 'none', '--volume', `${inPlace('data')}:/data`, '--rootfs', inPlace('root'), '/bin/dash', '-c', `trap '${onTerm}' TERM; echo "${name} started" >> /data/log; while :; do sleep 0.05; done`]);
  if (isStarted) await podman.run(['start', name]);
}

const isRunning = async (name: string) => (await podman.run(['inspect', '--format', '{{.State.Running}}', name])) === 'true';
const log = () => readFileSync(inPlace('data', 'log'), 'utf8').trim().split('\n');

async function run(names: readonly string[], { part = 'echo content', stopSeconds = 10, signal = new AbortController().signal } = {}) {
  const reports: HookReport[] = [];
  const ports = { environment: podman.environment, folder: place, secrets: [], clock: systemClock, signal, onHook: (report: HookReport) => void reports.push(report) };
  const standstill = new CommandStandstill({ containers: { names, program: 'podman', stopSeconds } }, { plan: 'shop', run: 'R1', type: 'incremental', hooks: undefined }, ports);
  const command = new CommandSource({ command: part, name: fromText('out'), minimumBytes: 1, environment: podman.environment, folder: place, temporaryFolder: place, clock: systemClock });
  const repository = testRepository();
  const source = sourceSet({ parts: [{ name: fromText('data'), source: filesSource([fromText(inPlace('data'))]) }, { name: fromText('out'), source: command }], standstill });
  const settled = await backUp(repository, source).then((outcome) => ({ outcome, error: undefined }), (error: HoldfastError) => ({ outcome: undefined, error }));
  const held = settled.outcome && (await heldBy(repository, settled.outcome)).get('data/log')?.content?.toString().trim().split('\n');
  return { ...settled, reports, held, backups: (await objectNames(repository.store, 'snapshots/')).length };
}

describe('containers of a set', () => {
  beforeEach(() => {
    rmSync(inPlace('data'), { recursive: true, force: true });
    mkdirSync(inPlace('data'));
    writeFileSync(inPlace('data', 'log'), '');
  });
  afterEach(async () => {
    const ours = await podman.run(['ps', '--all', '--quiet', '--filter', `label=holdfast.rig=${place}`]);
    await podman.run(['rm', '--force', '--time', '0', ...ours.split('\n')]);
  });

  it('are stopped in order, flushed, backed up, and started in the opposite order; what was not running stays so (P4)', async () => {
    await container('web');
    await container('worker');
    await container('idle', { isStarted: false });
    const { outcome, held, reports } = await run(['worker', 'idle', 'web']);
    expect([held, outcome?.manifest.warnings, outcome?.afterwards]).toEqual([['web started', 'worker started', 'worker flushed', 'web flushed'], [], undefined]);
    expect([await isRunning('web'), await isRunning('worker'), await isRunning('idle')]).toEqual([true, true, false]);
    expect(log().slice(4)).toEqual(['web started', 'worker started']);
    expect(reports.map(({ hook, command }) => [hook, command.replace(/^\S*\//, '')])).toEqual([['quiesce', 'podman stop -t 10 worker'], ['quiesce', 'podman stop -t 10 web'], ['resume', 'podman start web'], ['resume', 'podman start worker']]);
  }, 60_000);

  it('are started again when a part fails and when another cannot be stopped; one that had to be killed is a warning (P4)', async () => {
    await container('web');
    await container('deaf', { isDeaf: true });
    const failed = await run(['web'], { part: 'exit 9' });
    expect([failed.error?.message, failed.backups, await isRunning('web')]).toEqual([expect.stringMatching(/^Part out: /), 0, true]);
    const killed = await run(['web', 'deaf'], { stopSeconds: 1 });
    expect(killed.outcome?.manifest.warnings).toEqual([{ code: 'source-suspect', message: expect.stringMatching(/^The container deaf did not stop within 1 s and was killed/) }]);
    expect([await isRunning('web'), await isRunning('deaf')]).toEqual([true, true]);
  }, 60_000);

  it('that were still being stopped when the run was stopped have stopped before they are started: they do not end a moment later (P4)', async () => {
    await container('deaf', { isDeaf: true });
    const stop = new AbortController();
    const stopped = (async () => {
      while ((await podman.run(['inspect', '--format', '{{.State.Status}}', 'deaf'])) !== 'stopping') await systemClock.sleep(50);
      stop.abort(new HoldfastError('interrupted', 'Stopped by the test.'));
    })();
    const { error, backups, reports } = await run(['deaf'], { stopSeconds: 4, signal: stop.signal });
    await stopped;
    expect([error?.code, backups, await isRunning('deaf')]).toEqual(['interrupted', 0, true]);
    expect(reports.map(({ hook, command }) => [hook, command.replace(/^\S*\//, '')])).toEqual([['quiesce', 'podman stop -t 4 deaf'], ['resume', 'podman stop -t 4 deaf'], ['resume', 'podman start deaf']]);
    expect(log()).toEqual(['deaf started', 'deaf started']);
  }, 60_000);

  it('that are not there stop the run before anything is halted; one that cannot be started again is told, the others are started (P4)', async () => {
    await container('web');
    await container('gone');
    const unknown = await run(['web', 'nowhere']);
    expect([unknown.error?.code, unknown.error?.message, unknown.backups]).toEqual(['source-failed', expect.stringMatching(/^The container nowhere could not be looked at: .*no such (container|object)/i), 0]);
    expect(log()).toEqual(['web started', 'gone started']);
    // Somebody removes a container while it stands still.
    const { outcome, backups } = await run(['gone', 'web'], { part: `podman rm gone >/dev/null && echo content` });
    expect([backups, outcome?.afterwards]).toEqual([1, [expect.stringMatching(/podman start gone` after the parts were read ended with exit code \d+.* The container gone was stopped for the backup and may stand still: start it now\.$/)]]);
    expect(await isRunning('web')).toBe(true);
  }, 60_000);
});
