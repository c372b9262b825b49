import { PassThrough } from 'node:stream';
import { runFace } from '../../lib/cli/face.ts';
import { kitFace } from '../../lib/cli/kit/kit-face.ts';
import { KitRuntime } from '../../lib/cli/kit/kit-runtime.ts';
import { systemClock } from '../../lib/model/clock.ts';
import type { Store } from '../../lib/stores/store.ts';
import { withoutTimes } from '../../lib/stores/without-times.ts';

export interface KitRan {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The recovery kit's command line in this process, over any store: what `bin/kit.ts` composes, without a process for each row of a table. */
export async function runKit(store: Store, args: readonly string[], passphrase?: string): Promise<KitRan> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const runtime = new KitRuntime({ clock: systemClock, vaultFolder: '/vault', openStore: () => withoutTimes(store), askPassphrase: async () => passphrase });
  const code = await runFace(kitFace('node kit.mjs'), args, {
    version: '1.2.3', stdout, stderr, stdin: new PassThrough(), clock: systemClock, environment: {}, workingFolder: '/', userName: '', signal: new AbortController().signal, loadRuntime: async () => runtime,
  });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

class Sink extends PassThrough {
  text = '';

  constructor() {
    super();
    this.on('data', (chunk: Buffer) => (this.text += chunk.toString()));
  }
}
