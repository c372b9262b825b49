import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HookReport } from '../../lib/backup/hook-report.ts';
import { CommandStandstill } from '../../lib/backup/standstill.ts';
import type { ResolvedStandstill } from '../../lib/config/resolved-source.ts';
import { fromText } from '../../lib/model/byte-string.ts';
import { systemClock } from '../../lib/model/clock.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { CommandSource } from '../../lib/sources/command.ts';
import { filesSource } from '../../lib/sources/files.ts';
import { sourceSet } from '../../lib/sources/set.ts';
import { heldBy, backUp, objectNames, testRepository } from '../support/run-backup.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { threadInProcess } from '../support/thread-in-process.ts';

const line = (command: string | readonly string[], timeoutMs = 60_000) => ({ command, timeoutMs });
let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'data'));
});
const story = () => (existsSync(join(folder, 'story')) ? readFileSync(join(folder, 'story'), 'utf8').trim().split('\n') : []);
const tell = (word: string, more = '') => line(`echo ${word} >> story${more}`);

/** A real run of two parts, the second of which tells when it is read. */
async function run(wanted: ResolvedStandstill, { part = 'echo read >> story; echo content', signal = new AbortController().signal, secrets = [] as string[], threads = threadInProcess as typeof threadInProcess | undefined } = {}) {
  const reports: HookReport[] = [];
  const ports = { environment: { PATH: process.env['PATH'], TOKEN: secrets[0] }, folder, secrets, clock: systemClock, signal, onHook: (report: HookReport) => void reports.push(report) };
  const standstill = new CommandStandstill(wanted, { plan: 'shop', run: 'R1', type: 'incremental', hooks: undefined }, ports);
  const command = new CommandSource({ command: part, name: fromText('out'), minimumBytes: 1, environment: ports.environment, folder, temporaryFolder: folder, clock: systemClock });
  const repository = testRepository();
  const source = sourceSet({ parts: [{ name: fromText('data'), source: filesSource([fromText(join(folder, 'data'))]) }, { name: fromText('out'), source: command }], standstill });
  const settled = await backUp(repository, source, { ports: { signal, ...(threads && { startThread: threads }) } }).then((outcome) => ({ outcome, error: undefined }), (error: HoldfastError) => ({ outcome: undefined, error }));
  return { ...settled, reports, repository, backups: (await objectNames(repository.store, 'snapshots/')).length };
}

describe('quiesce and resume of a set', () => {
  it('run before the first part and after the last, told about the run; what quiesce flushed is in the backup (P4)', async () => {
    const { outcome, reports, repository } = await run({ quiesce: line('echo quiesce >> story; echo flushed > data/late; env | grep ^HOLDFAST_ | sort > told'), resume: tell('resume', '; echo after > data/late') });
    expect(story()).toEqual(['quiesce', 'read', 'resume']);
    expect((await heldBy(repository, outcome as never)).get('data/late')?.content?.toString()).toBe('flushed\n');
    expect(readFileSync(join(folder, 'told'), 'utf8')).toBe('HOLDFAST_HOOK=quiesce\nHOLDFAST_PLAN=shop\nHOLDFAST_RUN=R1\nHOLDFAST_STATE=running\nHOLDFAST_TYPE=incremental\n');
    expect([reports.map(({ hook, complaint }) => [hook, complaint]), outcome?.afterwards]).toEqual([[['quiesce', undefined], ['resume', undefined]], undefined]);
  });

  it.each([
    ['fails', tell('quiesce', '; echo half done >&2; exit 4'), /^The command `.*` before the parts were read ended with exit code 4, wanted 0\. It said: half done$/],
    ['takes too long', { ...tell('quiesce', '; sleep 1000'), timeoutMs: 300 }, /took longer than 0\.3 s and was ended with everything that it started/],
  ])('a quiesce that %s: nothing is read, and resume runs all the same (P4)', async (_how, quiesce, message) => {
    const { error, backups } = await run({ quiesce, resume: tell('resume') });
    expect([error?.code, error?.message, backups, story()]).toEqual(['source-failed', expect.stringMatching(message), 0, ['quiesce', 'resume']]);
  });

  it('a part that fails: resume runs, and the reason is that of the part (P4)', async () => {
    const { error, backups } = await run({ quiesce: tell('quiesce'), resume: tell('resume') }, { part: 'echo read >> story; exit 9' });
    expect([error?.code, error?.message, backups, story()]).toEqual(['source-failed', expect.stringMatching(/^Part out: .*exit code 9/), 0, ['quiesce', 'read', 'resume']]);
  });

  it('a resume that fails costs no backup and is told with what to do; without a backup it is told first, without secrets (P4)', async () => {
    const resume = line('echo "no $TOKEN" >&2; exit 5');
    const told = /^The command `.*` after the parts were read ended with exit code 5, wanted 0\. It said: no \*\*\* What the command was to set going again may stand still: look at it now\./;
    const { outcome, backups } = await run({ quiesce: tell('quiesce'), resume }, { secrets: ['correct horse'] });
    expect([backups, outcome?.afterwards, outcome?.manifest.warnings]).toEqual([1, [expect.stringMatching(told)], []]);
    const failed = await run({ quiesce: tell('quiesce'), resume }, { secrets: ['correct horse'], part: 'exit 9' });
    expect([failed.error?.code, failed.error?.message]).toEqual(['source-failed', expect.stringMatching(new RegExp(`${told.source} And there is no backup: Part out: `))]);
  });

  it('a stop while quiesce, a part or resume is at work: resume has run to its end (P4)', async () => {
    for (const [place, words] of [['quiesce', ['quiesce', 'resume', 'resumed']], ['part', ['quiesce', 'read', 'resume', 'resumed']], ['resume', ['quiesce', 'read', 'resume', 'resumed']]] as const) {
      writeFileSync(join(folder, 'story'), '');
      const stop = new AbortController();
      const at = (word: string) => (word === place ? 'touch here; sleep 0.4' : ':');
      const watch = setInterval(() => existsSync(join(folder, 'here')) && stop.abort(), 10);
      const { error, outcome } = await run({ quiesce: line(`echo quiesce >> story; ${at('quiesce')}`), resume: line(`echo resume >> story; ${at('resume')}; echo resumed >> story`) }, { part: `echo read >> story; ${at('part')}; echo content`, signal: stop.signal, threads: undefined });
      clearInterval(watch);
      expect([place, story(), outcome, error?.code]).toEqual([place, words, undefined, 'interrupted']);
      rmSync(join(folder, 'here'), { force: true });
    }
  });

  it('a run that was stopped before quiesce halts nothing and resumes nothing', async () => {
    const stop = new AbortController();
    stop.abort();
    const { error } = await run({ quiesce: tell('quiesce'), resume: tell('resume') }, { signal: stop.signal });
    expect([error?.code, story()]).toEqual(['interrupted', []]);
  });
});
