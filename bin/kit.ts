import { completeLanguage } from '../lib/cli/kit/older-node/language.ts';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runFace } from '../lib/cli/face.ts';
import { askPassphrase } from '../lib/cli/kit/ask-passphrase.ts';
import { kitFace } from '../lib/cli/kit/kit-face.ts';
import { KitRuntime } from '../lib/cli/kit/kit-runtime.ts';
import { systemClock } from '../lib/model/clock.ts';
import { HoldfastError } from '../lib/model/errors.ts';
import { CONFIG_NAME } from '../lib/repository/index.ts';
import { openDirectoryStore } from '../lib/stores/directory-store.ts';
import { readOnly } from '../lib/stores/read-only.ts';
import { withoutTimes } from '../lib/stores/without-times.ts';

/** Set by the build, which puts this file and all that it needs into one. */
declare const KIT_VERSION: string;

/** The recovery kit: one file that reads vaults in a folder. It knows no environment, no configuration, no network. */
completeLanguage();
const { stdout, stderr, argv } = process;
const script = realpathSync(argv[1] ?? '');
const ports = {
  clock: systemClock,
  vaultFolder: vaultAround(script) ?? process.cwd(),
  openStore: (folder: string) => withoutTimes(readOnly(openDirectoryStore(folder), 'the recovery kit only reads')),
  askPassphrase: () => askPassphrase(process.stdin, stderr),
};
const exitCode = await runFace(kitFace(`node ${basename(script)}`), argv.slice(2), {
  version: KIT_VERSION, stdout, stderr, clock: systemClock, environment: process.env, workingFolder: process.cwd(), userName: '', signal: stopSignal(), loadRuntime: async () => new KitRuntime(ports),
  get stdin() {
    return process.stdin;
  },
});
// A pipe takes what its reader has room for; the rest waits in this process, and `exit` would drop it.
await Promise.all([stdout, stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))));
process.exit(exitCode);

/** In its vault the script lies in the folder kit/. */
function vaultAround(path: string): string | undefined {
  const folder = dirname(dirname(path));
  return existsSync(join(folder, CONFIG_NAME)) ? folder : undefined;
}

/** The first signal asks for a clean stop, the second ends the process at once. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(130);
      controller.abort(new HoldfastError('interrupted', `Stopped by ${name}.`, { nextStep: 'Run the same command again: it goes on from what is done.' }));
    });
  }
  // Whoever reads our output may have seen enough (`ls | head`).
  stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return controller.signal;
}
