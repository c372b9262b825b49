import { systemClock } from '../../lib/model/clock.ts';
import type { Clock } from '../../lib/model/clock.ts';
import { complaintAbout, isOver, startProgram } from '../../lib/sources/program.ts';
import type { Program } from '../../lib/sources/program.ts';

/** Its time is over at once. */
const impatient: Clock = { now: () => systemClock.now(), sleep: async () => undefined };
const start = (...words: string[]): Program => startProgram(words, { stdout: 'ignore', environment: process.env, secrets: ['s3cret'], clock: systemClock });

describe('a program that writes a stream (S1, S12)', () => {
  it('is over when it has ended, and when it ends by itself within its time', async () => {
    const ended = start('true');
    await ended.group.ended;
    expect(await isOver(ended, systemClock)).toBe(true);
    expect(await isOver(start('sleep', '0.1'), systemClock)).toBe(true);
  });

  it('is not over while it waits for something else, so that somebody has to end it', async () => {
    const waiting = start('sleep', '600');
    expect(await isOver(waiting, impatient)).toBe(false);
    await waiting.group.kill();
  });

  it('is named without its folder, and what it says is kept without secrets', async () => {
    const { name, group, said } = start('/bin/sh', '-c', 'echo the s3cret word >&2');
    await group.ended;
    expect([name, said.text()]).toEqual(['sh', 'the *** word']);
  });

  it.each([
    [['true'], undefined],
    [['sh', '-c', 'exit 3'], 'ended with exit code 3 after 7 bytes, wanted 0'],
    [['sh', '-c', 'kill -KILL $$'], 'was killed by SIGKILL after 7 bytes, wanted exit code 0'],
    [['/no/such/program'], 'could not be started (ENOENT)'],
  ])('%j: the complaint is %j', async (words, complaint) => {
    expect(complaintAbout(await start(...words).group.ended, 7)).toBe(complaint);
  });
});
