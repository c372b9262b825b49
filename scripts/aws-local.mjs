// `npm run aws:local`: what the end-to-end tests run, kept up for a person. Bundled first, because tests are CommonJS.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
// As deep as the sources that look for `.servers` from where they are.
const PROGRAM = join(ROOT, '.tmp', 'aws-local', 'program', 'main.cjs');

await build({ entryPoints: [join(ROOT, 'test/support/aws-rig/stay-up.ts')], outfile: PROGRAM, bundle: true, format: 'cjs', platform: 'node', target: 'node24', external: ['pg-native'], logLevel: 'warning' });
const child = spawn('node', ['--no-warnings', PROGRAM], { cwd: ROOT, stdio: 'inherit' });
// Ctrl-C reaches the child by itself; it cleans up and ends.
for (const name of ['SIGINT', 'SIGHUP']) process.on(name, () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.once('close', (code, signal) => (process.exitCode = code ?? (signal ? 1 : 0)));
