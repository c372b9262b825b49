import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync, rmSync } from 'node:fs';

/** One step of one tool. */
export interface Measure {
  readonly wallSeconds: number;
  /** User and system, of all processes of the step. */
  readonly cpuSeconds: number;
  /** The kernel's high-water marks (VmHWM) of all processes that were alive together, summed; looked at every 20 ms. */
  readonly peakKiB: number;
}

export interface Failure {
  readonly exitCode: number | null;
  readonly message: string;
}

const LOOK_EVERY_MILLISECONDS = 20;

/** Runs a command by `sh -c` in an environment of its own. `report` is a file for the shell's own account of CPU time. */
export async function measure(command: string, environment: NodeJS.ProcessEnv, report: string): Promise<Measure | Failure> {
  rmSync(report, { force: true });
  const startedAt = performance.now();
  // `times` prints what the shell's children used: no other program is needed for that.
  const child = spawn('sh', ['-c', `${command}\ncode=$?; times > '${report}'; exit $code`], { env: environment, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr = (stderr + text).slice(-4000)));
  const peak = new TreePeak(child.pid as number);
  const timer = setInterval(() => peak.look(), LOOK_EVERY_MILLISECONDS);
  const [exitCode] = (await once(child, 'close')) as [number | null];
  clearInterval(timer);
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (exitCode !== 0) return { exitCode, message: stderr.trim().split('\n').slice(-5).join('\n') };
  return { wallSeconds, cpuSeconds: childrenSeconds(readFileSync(report, 'utf8')), peakKiB: peak.kiB };
}

/** The second line: user and system time of the children, as in `0m1.230s 0m0.450s`. */
function childrenSeconds(times: string): number {
  const line = times.trim().split('\n')[1] ?? '';
  const seconds = [...line.matchAll(/(\d+)m([\d.]+)s/g)].map(([, minutes, rest]) => Number(minutes) * 60 + Number(rest));
  if (seconds.length !== 2) throw new Error(`the shell's times are ${JSON.stringify(times)}, wanted two lines of two times`);
  return (seconds[0] as number) + (seconds[1] as number);
}

class TreePeak {
  kiB = 0;
  readonly #root: number;

  constructor(root: number) {
    this.#root = root;
  }

  look(): void {
    let sum = 0;
    const waiting = [this.#root];
    for (let pid = waiting.pop(); pid !== undefined; pid = waiting.pop()) {
      sum += Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0);
      for (const task of tasks(pid)) waiting.push(...read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean).map(Number));
    }
    this.kiB = Math.max(this.kiB, sum);
  }
}

/** A process may be gone by now. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function tasks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}
