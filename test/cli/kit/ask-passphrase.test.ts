import { PassThrough } from 'node:stream';
import { askPassphrase } from '../../../lib/cli/kit/ask-passphrase.ts';

/** A terminal that remembers whether it would have shown what was typed. */
class Terminal extends PassThrough {
  readonly isTTY = true;
  readonly raw: boolean[] = [];

  setRawMode(isRaw: boolean): this {
    this.raw.push(isRaw);
    return this;
  }
}

describe('asking for a passphrase', () => {
  function typing(...keys: string[]) {
    const [terminal, shown] = [new Terminal(), new PassThrough()];
    const answer = askPassphrase(terminal, shown);
    for (const key of keys) terminal.write(key);
    return { terminal, answer, shown: () => (shown.read() as Buffer).toString() };
  }

  it('shows nothing of what is typed, and gives the terminal back', async () => {
    const { terminal, answer, shown } = typing('s', 'ecret', '\r');
    expect(await answer).toBe('secret');
    expect(shown()).toBe('Passphrase of the vault (nothing is shown): \n');
    expect(terminal.raw).toEqual([true, false]);
  });

  it('takes a letter back, whatever its bytes', async () => {
    expect(await typing('a\u00fc\u{1f600}', '\x7f\x7f', 'b\n').answer).toBe('ab');
  });

  it('stops at Ctrl-C and gives the terminal back', async () => {
    const { terminal, answer } = typing('x\x03');
    await expect(answer).rejects.toMatchObject({ code: 'interrupted' });
    expect(terminal.raw).toEqual([true, false]);
  });

  it('asks nobody where there is no terminal', async () => {
    expect(await askPassphrase(new PassThrough(), new PassThrough())).toBeUndefined();
    expect(await typing('\r').answer).toBeUndefined();
  });
});
