import { isHoldfastError, type ErrorCode } from '../model/errors.ts';
import type { ProbeCheck, ProbeFinding, ProbeOptions } from './probe.ts';
import type { Store } from './store.ts';

interface Subject extends ProbeOptions {
  readonly folder: string;
}

const MUST_NOT = 'Do not keep a vault there.';
const SIZES = [0, 1, 5_000, 300_000];
/** Orders by locale, by length, or folder by folder all get these wrong. */
const TRICKY_NAMES = ['Z', 'a-b', 'a.b', 'a/x', 'a/x-1/y', 'a/x.z', 'a/x0', 'a0', 'a_/q', 'b', 'y'];
const DRIFT_WARNING_MS = 60_000;
/** S3 refuses requests whose signature is older or newer than this. */
const DRIFT_LIMIT_MS = 15 * 60_000;
/** Stamps and answers are of whole seconds, and both come over a network. */
const STAMP_TOLERANCE_MS = 5_000;

/** What is asked of every store, in this order. */
export function probeChecks(store: Store, subject: Subject): readonly ProbeCheck[] {
  return [
    { check: 'reads at once what was written', isFirst: true, run: () => readAfterWrite(store, subject) },
    { check: 'writes a name once', run: () => writeOnce(store, subject) },
    { check: 'lets one of many racing writers win', run: () => race(store, subject) },
    { check: 'reads ranges exactly', run: () => ranges(store, subject) },
    { check: 'lists everything, in order', run: () => listing(store, subject) },
    { check: 'removes', run: () => removal(store, subject) },
    { check: 'keeps the time', run: () => time(store, subject) },
  ];
}

async function readAfterWrite(store: Store, { folder }: Subject): Promise<ProbeFinding> {
  for (const size of SIZES) {
    const name = `${folder}read/${size}`;
    await store.put(name, patternOf(size));
    const bytes = await store.get(name);
    const { size: stated } = await store.stat(name);
    const isListed = (await namesBelow(store, `${folder}read/`)).includes(name);
    if (Buffer.compare(bytes, patternOf(size)) !== 0) return failed(`of ${size} bytes just written, ${bytes.byteLength} came back, with other content`);
    if (stated !== size || !isListed) return failed(`an object just written was ${isListed ? `said to have ${stated} bytes instead of ${size}` : 'not in the listing'}`);
  }
  return ok(`${SIZES.length} objects read, looked at and listed right after their writing`);
}

async function writeOnce(store: Store, { folder }: Subject): Promise<ProbeFinding> {
  const name = `${folder}once`;
  await store.put(name, patternOf(100));
  const again = await store.put(name, patternOf(100));
  if (again.created) return failed('it wrote over an object that was there: a writer that repeats a name destroys what was stored');
  const refused = await codeOf(store.put(name, patternOf(100, 7)));
  const kept = Buffer.compare(await store.get(name), patternOf(100)) === 0;
  if (!kept) return failed('it replaced an object by other bytes: backups could be overwritten');
  return refused === 'already-exists' ? ok('the same bytes again succeed, other bytes are refused') : failed(`other bytes under a taken name ended as ${refused}, wanted a refusal`);
}

async function race(store: Store, { folder, writers = 16, rounds = 5 }: Subject): Promise<ProbeFinding> {
  for (let round = 1; round <= rounds; round += 1) {
    const name = `${folder}race/${round}`;
    const results = await Promise.allSettled(Array.from({ length: writers }, (_, index) => store.put(name, patternOf(20_000, index))));
    const winners = results.flatMap((result, index) => (result.status === 'fulfilled' ? [index] : []));
    const stranger = results.find((result) => result.status === 'rejected' && !isHoldfastError(result.reason, 'already-exists'));
    if (winners.length > 1) return failed(`${winners.length} of ${writers} writers of one name were told that it is theirs (round ${round}): two machines could each believe in a backup of which one half is the other's`);
    if (stranger?.status === 'rejected') throw stranger.reason;
    const [winner] = winners;
    if (winner === undefined) return failed(`none of ${writers} writers of one name got it (round ${round})`);
    if (Buffer.compare(await store.get(name), patternOf(20_000, winner)) !== 0) return failed(`the object is not that of the writer who was told that it is his (round ${round})`);
  }
  return ok(`${rounds} rounds of ${writers} writers of one name: one winner each, all others refused`);
}

async function ranges(store: Store, { folder }: Subject): Promise<ProbeFinding> {
  const name = `${folder}ranges`;
  const whole = patternOf(100_000);
  await store.put(name, whole);
  for (const [offset, length] of [[0, 1], [1, 99_999], [50_000, 1000], [99_999, 1]] as const) {
    const bytes = await store.get(name, { offset, length });
    if (Buffer.compare(bytes, whole.subarray(offset, offset + length)) !== 0) return failed(`bytes ${offset} to ${offset + length} came back as other bytes`);
  }
  const beyond = await Promise.all([[100_000, 1], [99_999, 2], [0, 100_001]].map(([offset = 0, length = 0]) => codeOf(store.get(name, { offset, length }))));
  const wrong = beyond.find((code) => code !== 'damaged');
  return wrong === undefined ? ok('parts come back to the byte, and none beyond the end') : failed(`a range beyond the end of an object ended as ${wrong}, wanted a refusal`);
}

async function listing(store: Store, { folder }: Subject): Promise<ProbeFinding> {
  const names = TRICKY_NAMES.map((name) => `${folder}list/${name}`);
  for (const name of names.toReversed()) await store.put(name, patternOf(1));
  const listed = await namesBelow(store, `${folder}list/`);
  const missing = names.filter((name) => !listed.includes(name));
  if (missing.length > 0) return failed(`${missing.length} of ${names.length} objects were not listed: prune and restore rely on listings`);
  const at = listed.findIndex((name, index) => index > 0 && name <= (listed[index - 1] as string));
  if (at > 0 || listed.length !== names.length) return failed(`${listed[at] ?? 'an object'} was listed out of byte order, or twice: what is not seen in its place counts as absent`);
  return ok(`${names.length} names, once each and in byte order`);
}

async function removal(store: Store, { folder }: Subject): Promise<ProbeFinding> {
  const name = `${folder}removed`;
  await store.put(name, patternOf(10));
  const refused = await store.remove(name).then(() => undefined, (error: unknown) => {
    if (isHoldfastError(error, 'permission')) return error;
    throw error;
  });
  if (refused) return { result: 'warning', seen: 'these credentials may not remove: right for who only writes backups', nextStep: '`remove` and `prune` need credentials that may.' };
  await store.remove(name);
  const [read, isListed] = [await codeOf(store.get(name)), (await namesBelow(store, folder)).includes(name)];
  if (read !== 'not-found' || isListed) return failed(`an object that was removed is still ${isListed ? 'listed' : 'read'}`);
  return ok('what was removed is gone at once, and removing twice is no error');
}

async function time(store: Store, { folder, clock }: Subject): Promise<ProbeFinding> {
  const name = `${folder}time`;
  const before = await store.now();
  await store.put(name, patternOf(1));
  const { storedAt } = await store.stat(name);
  const here = clock.now();
  const after = await store.now();
  const drift = Math.round((after - here) / 1000) * 1000;
  if (after < before) return failed(`its time went backwards by ${before - after} ms: decisions about deletion are made by it`);
  if (storedAt < before - STAMP_TOLERANCE_MS || storedAt > after + STAMP_TOLERANCE_MS) return failed(`an object written between ${stamp(before)} and ${stamp(after)} is stamped ${stamp(storedAt)}: decisions about deletion are made by both`);
  const seen = `its clock and that of this machine differ by ${Math.abs(drift) / 1000} s`;
  if (Math.abs(drift) > DRIFT_LIMIT_MS) return { result: 'failed', seen, nextStep: 'Set the clock of this machine (NTP): S3 refuses requests that are more than 15 minutes off.' };
  return Math.abs(drift) > DRIFT_WARNING_MS ? { result: 'warning', seen, nextStep: 'Set the clock of this machine (NTP).' } : ok(seen);
}

/** Bytes that differ from place to place and from writer to writer. */
function patternOf(size: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >>> 8) * 17 + seed * 101 + 1) & 255);
}

async function namesBelow(store: Store, prefix: string): Promise<string[]> {
  return (await Array.fromAsync(store.list(prefix))).map(({ name }) => name);
}

async function codeOf(call: Promise<unknown>): Promise<ErrorCode | 'a success'> {
  return call.then(() => 'a success' as const, (error: unknown) => {
    if (isHoldfastError(error)) return error.code;
    throw error;
  });
}

function ok(seen: string): ProbeFinding {
  return { result: 'ok', seen };
}

function failed(seen: string): ProbeFinding {
  return { result: 'failed', seen, nextStep: MUST_NOT };
}

function stamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
