import { readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError, isHoldfastError } from '../../lib/model/errors.ts';
import type { Source, StreamProof } from '../../lib/sources/source.ts';
import { descendants } from '../sources/postgres/dumps.ts';
import { failure, readToEnd } from '../sources/reading.ts';
import { backUp, objectNames, testRepository } from '../support/run-backup.ts';

/** What the contract needs to know of one kind of source. Each call makes a fresh one. */
export interface SourceDesk {
  /** One that can be read whole. */
  good(): Source | Promise<Source>;
  /** One that can be checked, and whose producer fails after some bytes. */
  failing(): Source | Promise<Source>;
  /** One that gives some bytes and then takes its time, so that there is somebody to be ended; `good` by default. */
  slow?(): Source | Promise<Source>;
  /** One that must be refused by `check`. */
  refused(): Source | Promise<Source>;
  /** The only folder that it may write to, while it runs. */
  readonly temporaryFolder: string;
  /** Words that nobody may see. */
  readonly secrets: readonly string[];
  /** Everything that a check could change, in words. */
  state(): unknown;
}

/** The promises of the port, sentence by sentence. Every source runs all of them. */
export function sourceContract(name: string, desk: () => SourceDesk): void {
  describe(`${name} as a source`, () => {
    let before: readonly number[];
    beforeEach(() => (before = pids()));
    // Whatever happened: no process, no file, no password stays.
    afterEach(async () => {
      expect(await newProcesses(before)).toEqual([]);
      expect(readdirSync(desk().temporaryFolder)).toEqual([]);
    });

    it('is checked any number of times, and that changes nothing', async () => {
      const source = await desk().good();
      const state = await desk().state();
      await source.check();
      await Promise.all([source.check(), source.check()]);
      expect(await desk().state()).toEqual(state);
      expect(readdirSync(desk().temporaryFolder)).toEqual([]);
    });

    it('says what it is, without a secret', async () => {
      const source = await desk().good();
      expect(source.description.length).toBeGreaterThan(0);
      expect(source.type).toMatch(/^[a-z][a-z0-9-]*$/);
      expectNoSecret([source.description]);
    });

    it('is refused with a reason and a next step before anything is written', async () => {
      const refused = await failure((await desk().refused()).check());
      expect(refused.nextStep).toEqual(expect.any(String));
      expectNoSecret([wordsOf(refused)]);
      const { repository, error } = await run(await desk().refused());
      // Servers number their answers.
      const [again, first] = [error, refused].map(({ code, message }) => [code, message.replace(/request [\w-]+/, 'request')]);
      expect(again).toEqual(first);
      expect(await objectNames(repository.store)).toEqual([]);
    });

    it('can be backed up whole, with what proves it', async () => {
      const source = await desk().good();
      const outcome = await backUp(testRepository(), source);
      expect(outcome.statistics.bytes).toBeGreaterThan(0);
      if (isReadable(source)) expect(outcome.evidence.length).toBeGreaterThan(0);
      expectNoSecret([JSON.stringify([outcome.manifest, outcome.evidence])]);
    });

    it('leaves no backup when its producer fails', async () => {
      const source = await desk().failing();
      await source.check();
      const { repository, error } = await run(source);
      expect(error.nextStep).toEqual(expect.any(String));
      expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
      expectNoSecret([wordsOf(error)]);
    });

    it('leaves no backup when it is stopped, and fails as interrupted', async () => {
      const stop = new AbortController();
      stop.abort(new HoldfastError('interrupted', 'Stopped by the test.'));
      const { repository, error } = await run(await desk().good(), stop.signal);
      expect(error.code).toBe('interrupted');
      expect(await objectNames(repository.store, 'snapshots/')).toEqual([]);
    });

    it('runs nothing before a stream is opened', async () => {
      await eachStream(await desk().good(), async () => {
        expect(await newProcesses(before)).toEqual([]);
        expect(readdirSync(desk().temporaryFolder)).toEqual([]);
      });
    });

    it('closes a stream as often as it is told to: opened only, finished, and half read', async () => {
      await eachStream(await desk().good(), async (stream) => {
        const unread = await stream.open();
        await unread.close();
        await unread.close();
      });
      await eachStream(await desk().good(), async (stream) => {
        const opened = await stream.open();
        const { proof, bytes } = await opened.readWhole();
        expect(proof.bytes).toBe(bytes);
        await opened.close();
        await opened.close();
      });
    });

    it('gives no proof of a stream whose producer failed', async () => {
      const source = await desk().failing();
      const outcomes: unknown[] = [];
      await eachStream(source, async (stream) => {
        const opened = await stream.open().catch((error: unknown) => void outcomes.push(error));
        if (!opened) return;
        outcomes.push(await opened.readWhole().catch((error: unknown) => error));
        await opened.close();
      });
      if (isReadable(source)) expect(outcomes.some((outcome) => isHoldfastError(outcome))).toBe(true);
    });

    it('ends its producer at an abort, fails as interrupted, and shows no secret to those who look at processes', async () => {
      const stop = new AbortController();
      const source = await (desk().slow ?? desk().good)();
      let isFirst = true;
      await eachStream(source, async (stream) => {
        if (!isFirst) return;
        const opened = await stream.open();
        expectNoSecret(descendants().map(({ argumentsAndEnvironment }) => argumentsAndEnvironment));
        const error = await failure(opened.readWhole(() => stop.abort(new HoldfastError('interrupted', 'Stopped by the test.'))));
        expect(error.code).toBe('interrupted');
        expectNoSecret([wordsOf(error)]);
        await opened.close();
        isFirst = false;
      }, stop.signal).catch((error: unknown) => expect([isFirst, isHoldfastError(error, 'interrupted')]).toEqual([false, true]));
    });

    const expectNoSecret = (texts: readonly string[]) => {
      for (const secret of desk().secrets) for (const text of texts) expect([secret, text.includes(secret)]).toEqual([secret, false]);
    };
  });
}

async function run(source: Source, signal = new AbortController().signal) {
  const repository = testRepository();
  return { repository, error: await failure(backUp(repository, source, { ports: { signal } })) };
}

/** A stream or a body, as both are read. */
interface Readable {
  open(): Promise<{ readonly readWhole: (onFirst?: () => void) => Promise<{ readonly bytes: number; readonly proof: StreamProof }>; readonly close: () => Promise<void> }>;
}

function isReadable({ shape }: Source): boolean {
  return shape === 'streams' || shape === 'bodies';
}

async function eachStream(source: Source, work: (stream: Readable) => Promise<void>, signal = new AbortController().signal): Promise<void> {
  if (source.shape === 'streams') {
    for await (const stream of source.streams(signal)) {
      await work({
        open: async () => {
          const opened = await stream.open();
          const readWhole = async (onFirst?: () => void) => {
            const seen = await readToEnd(opened, onFirst);
            return { bytes: seen.bytes, proof: await opened.finish(seen) };
          };
          return { readWhole, close: () => opened.close() };
        },
      });
    }
  }
  if (source.shape !== 'bodies') return;
  for await (const body of source.bodies(signal)) {
    await work({
      open: async () => {
        const opened = await body.open();
        const readWhole = async (onFirst?: () => void) => {
          let bytes = 0;
          for await (const piece of opened.body) {
            if (bytes === 0) onFirst?.();
            bytes += piece.length;
          }
          return { bytes, proof: await opened.finish({ bytes }) };
        };
        return { readWhole, close: () => opened.close() };
      },
    });
  }
}

function wordsOf({ message, nextStep, cause, data }: HoldfastError): string {
  return `${message} ${nextStep} ${JSON.stringify(data)} ${cause instanceof Error ? `${cause.message} ${JSON.stringify(cause)}` : String(cause)}`;
}

function pids(): number[] {
  return descendants().map(({ pid }) => pid);
}

/** Those that have ended need a moment until nobody sees them any more. */
async function newProcesses(before: readonly number[]): Promise<string[]> {
  for (let tries = 0; ; tries++) {
    const left = descendants().filter(({ pid }) => !before.includes(pid)).map(({ name }) => name);
    if (left.length === 0 || tries === 50) return left;
    await sleep(20);
  }
}
