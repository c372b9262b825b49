import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ACCOUNT, REGION } from './emulator.ts';
import type { Emulator } from './emulator.ts';

export interface CdkProgram {
  /** Where the synthesized templates lie. */
  readonly output: string;
  /** Each of these fails with everything that the CDK printed. */
  bootstrap(): Promise<void>;
  synth(): Promise<string>;
  /** Of what was synthesized last; `args` such as `deploy --all`. */
  run(args: readonly string[]): Promise<string>;
}

export interface CdkApp {
  /** Synthesizes. */
  readonly command: string;
  /** `name=value` each. */
  readonly context: readonly string[];
}

/** The CDK's command line against the emulator, with a home of its own. */
export function cdkProgram(place: { readonly root: string; readonly folder: string }, emulator: Emulator, app: CdkApp): CdkProgram {
  const output = join(place.folder, 'cdk.out');
  const home = join(place.folder, 'home');
  const temporary = join(place.folder, 'cdk-temporary');
  for (const folder of [home, temporary]) mkdirSync(folder, { recursive: true });
  const env = {
    ...process.env, ...emulator.environment, HOME: home, TMPDIR: temporary,
    PATH: `${join(place.root, 'node_modules', '.bin')}:${process.env['PATH'] ?? ''}`,
    CDK_DEFAULT_ACCOUNT: ACCOUNT, CDK_DEFAULT_REGION: REGION, CDK_DISABLE_VERSION_CHECK: '1', CDK_DISABLE_CLI_TELEMETRY: 'true', CI: 'true', NO_COLOR: '1',
  };
  const quiet = ['--no-notices', '--no-version-reporting', '--no-path-metadata'];
  const synth = () => captured('cdk', ['synth', '--quiet', ...quiet, '--output', output, '--app', app.command, ...app.context.flatMap((value) => ['--context', value])], { cwd: place.root, env });
  const run = (args: readonly string[]) => captured('cdk', [...args, ...quiet, '--app', output], { cwd: place.root, env });
  // Nothing of the app is needed for it, and no template is written into the output.
  const bootstrap = async () => void (await captured('cdk', ['bootstrap', `aws://${ACCOUNT}/${REGION}`, '--no-notices', '--no-version-reporting'], { cwd: home, env }));
  return { output, bootstrap, synth, run };
}

export function captured(command: string, args: readonly string[], options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let text = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code, signal) => (code === 0 ? resolve(text) : reject(new Error(`${command} ${args.join(' ')} ended with ${code ?? signal}:\n${text.slice(-12_000)}`))));
  });
}
