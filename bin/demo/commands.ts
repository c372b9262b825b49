import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const isSource = import.meta.url.endsWith('.ts');
const PROGRAM = fileURLToPath(new URL(isSource ? '../holdfast.ts' : './holdfast.mjs', import.meta.url));

export interface Ran {
  readonly seconds: number;
  readonly stdout: string;
}

/** Runs the real program as a person would and shows command and output; with `--json` the output is for us alone. */
export async function holdfast(args: readonly string[], cwd: string, wanted: readonly number[] = [0, 3]): Promise<Ran> {
  const isShown = !args.includes('--json');
  if (isShown) process.stdout.write(`\n$ holdfast ${args.join(' ')}\n`);
  const startedAt = performance.now();
  const child = spawn(process.execPath, [PROGRAM, ...args], { cwd, stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (isShown) process.stdout.write(text);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === null || !wanted.includes(code)) throw new Error(`holdfast ${args.join(' ')} ended with exit code ${code}`);
  return { seconds: (performance.now() - startedAt) / 1000, stdout };
}

export async function results<T>(args: readonly string[], cwd: string): Promise<T[]> {
  const { stdout } = await holdfast([...args, '--json'], cwd);
  return stdout.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}
