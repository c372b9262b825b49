import { HoldfastError } from '../../model/errors.ts';
import type { Surroundings } from '../runtime.ts';

const CONTROL_C = '\x03';
const CONTROL_D = '\x04';
const ERASE = ['\x7f', '\b'];

type Terminal = Surroundings['stdin'] & { setRawMode?(isRaw: boolean): unknown };

/** Asks on the terminal, without showing what is typed. Undefined when there is no terminal or nothing was typed. */
export async function askPassphrase(stdin: Terminal, stderr: Surroundings['stderr']): Promise<string | undefined> {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return undefined;
  stderr.write('Passphrase of the vault (nothing is shown): ');
  stdin.setRawMode(true);
  stdin.setEncoding('utf8');
  stdin.resume();
  try {
    return (await readLine(stdin)) || undefined;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}

function readLine(stdin: Terminal): Promise<string> {
  return new Promise((resolve, reject) => {
    let line: readonly string[] = [];
    const done = (settle: () => void) => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      settle();
    };
    const onEnd = () => done(() => resolve(line.join('')));
    const onData = (typed: string) => {
      for (const letter of typed) {
        if (letter === CONTROL_C) return done(() => reject(new HoldfastError('interrupted', 'Stopped while asking for the passphrase.')));
        if (letter === '\r' || letter === '\n' || letter === CONTROL_D) return onEnd();
        line = ERASE.includes(letter) ? line.slice(0, -1) : [...line, letter];
      }
    };
    stdin.on('data', onData);
    stdin.on('end', onEnd);
  });
}
