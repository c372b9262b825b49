/**
 * Tells the long suites of `test/long/suites.ts`: npm run test:long, npm run test:soak. Prints progress and seeds; the
 * very last line is `N passed, N failed, N skipped`, counted in suites.
 */
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { LongSuite } from '../test/long/long-suite.ts';
import { runSuite } from '../test/long/run-suite.ts';
import type { SuiteOutcome } from '../test/long/run-suite.ts';
import { LONG_SUITES } from '../test/long/suites.ts';

const HELP = `npm run test:long -- [SUITE...] [--size N] [--seed N] [--minutes N] [--jobs N]
npm run test:soak -- [SUITE...] [the same]

  --size N      cases of each suite; also HOLDFAST_LONG_SIZE; default: the suite's own, for hours
  --seed N      number of the first case, and its seed; also HOLDFAST_LONG_SEED; default: by chance, printed
  --minutes N   ends each suite after that time, told as far as it came
  --jobs N      threads; default: one for each core
  --list        shows the suites
Example: npm run test:long -- stories --seed 4711 --size 1`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { size: { type: 'string' }, seed: { type: 'string' }, minutes: { type: 'string' }, jobs: { type: 'string' }, soak: { type: 'boolean' }, list: { type: 'boolean' }, help: { type: 'boolean' } },
});

function refuse(complaint: string): never {
  console.error(`${complaint}\n\n${HELP}`);
  process.exit(64);
}

function number(name: string, given: string | undefined, fallback: number): number {
  if (given === undefined) return fallback;
  if (/^\d+(\.\d+)?$/.test(given) && Number(given) > 0) return Number(given);
  return refuse(`${name} is ${JSON.stringify(given)}, wanted a number above 0`);
}

const size = number('--size', values.size ?? process.env['HOLDFAST_LONG_SIZE'], 0);
const seed = number('--seed', values.seed ?? process.env['HOLDFAST_LONG_SEED'], 1 + Math.floor(Math.random() * 1e9));
const minutes = number('--minutes', values.minutes, Infinity);
const jobs = number('--jobs', values.jobs, availableParallelism());
const counted = (value: number) => Math.round(value).toLocaleString('en-US');

function isChosen(suite: LongSuite): boolean {
  return positionals.length > 0 ? positionals.includes(suite.name) : (suite.isSoak ?? false) === (values.soak ?? false);
}

/** On a terminal every second, in a log every minute. */
function progressOf(suite: LongSuite, wanted: number): (told: number) => void {
  const begin = Date.now();
  let shownAt = begin;
  return (told) => {
    if (!process.stderr.isTTY && Date.now() - shownAt < 60_000) return;
    shownAt = Date.now();
    const perSecond = told / Math.max(1, (Date.now() - begin) / 1000);
    const left = Math.min((wanted - told) / Math.max(perSecond, 0.001) / 60, minutes - (Date.now() - begin) / 60_000);
    const line = `${suite.name}: ${counted(told)} of ${counted(wanted)} ${suite.unit}, ${perSecond.toPrecision(3)} a second, ETA ${Math.max(0, left).toFixed(1)} min`;
    process.stderr.write(process.stderr.isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
  };
}

function report(suite: LongSuite, { told, failures, notes }: SuiteOutcome, begin: number): void {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
  for (const failure of failures) {
    console.log(`FAILED: ${suite.name}, seed ${failure.seed}: ${failure.message}`);
    console.log(`Again: npm run ${suite.isSoak ? 'test:soak' : 'test:long'} -- ${suite.name} --seed ${failure.seed} --size 1`);
  }
  for (const note of notes) console.log(`${suite.name}: ${note}`);
  console.log(`${failures.length === 0 ? 'ok' : 'FAILED'}: ${suite.name}: ${counted(told)} ${suite.unit} in ${Math.round((Date.now() - begin) / 1000)} s`);
}

async function main(): Promise<number> {
  const unknown = positionals.filter((name) => !LONG_SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) refuse(`There is no long suite ${unknown.join(', ')}; there are ${LONG_SUITES.map(({ name }) => name).join(', ')}.`);
  const chosen = LONG_SUITES.filter(isChosen);
  let failed = 0;
  for (const suite of chosen) {
    const wanted = size || suite.long;
    const begin = Date.now();
    console.log(`${suite.name}: ${suite.title}\n${suite.name}: ${counted(wanted)} ${suite.unit}, seed ${seed}`);
    const isTimeUp = () => Date.now() - begin > minutes * 60_000;
    const outcome = await runSuite(suite, { seed, size: wanted, jobs, thread: join(import.meta.dirname, '..', 'test', 'long', 'thread.ts'), isTimeUp, onProgress: progressOf(suite, wanted) });
    report(suite, outcome, begin);
    if (outcome.failures.length > 0) failed++;
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed, ${LONG_SUITES.length - chosen.length} skipped`);
  return failed;
}

function show({ name, title, smoke, long, unit, isSoak }: LongSuite): void {
  console.log(`${name}${isSoak ? ' (soak)' : ''}: ${title}\n  ${counted(long)} ${unit}, in CI ${counted(smoke)}`);
}

if (values.help) console.log(HELP);
else if (values.list) for (const suite of LONG_SUITES) show(suite);
else process.exitCode = (await main()) === 0 ? 0 : 1;
