// Builds the recovery kit (K10): one file without imports but Node's own modules, and the page that lies beside it in
// every vault. Not minified: whoever depends on it may read it.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

const ROOT = join(import.meta.dirname, '..');
const SHIMS = 'lib/cli/kit/older-node';
/** Said before anything else runs; a Node that is much older does not even parse the rest. */
const OLDEST = { major: 18, minor: 19 };

/** Writes `kit.mjs` and `kit-README.txt` into a folder: the same bytes from the same sources, wherever it is. Answers their names. */
export async function buildKit(out) {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const page = readFileSync(join(ROOT, 'lib/cli/kit/README.txt'), 'utf8');
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: { kit: 'bin/kit.ts' },
    outdir: out,
    write: false,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: `node${OLDEST.major}.${OLDEST.minor}`,
    sourcemap: false,
    logLevel: 'warning',
    legalComments: 'none',
    define: { KIT_VERSION: JSON.stringify(version) },
    plugins: [{ name: 'older-node', setup: useShims }],
    banner: { js: banner(version, page) },
  });
  const script = Buffer.from(outputFiles[0].contents);
  const sha256 = createHash('sha256').update(script).digest('hex');
  const filled = fill(page, { VERSION: version, SCRIPT: `holdfast-kit-${sha256.slice(0, 8)}.mjs`, SHA256: sha256, NODE: `${OLDEST.major}.${OLDEST.minor}`, SIZE: `${Math.round(script.length / 1024)} KiB` });
  await writeFile(join(out, 'kit.mjs'), script);
  await writeFile(join(out, 'kit-README.txt'), filled);
  return { files: ['kit.mjs', 'kit-README.txt'], bytes: script.length };
}

/** CommonJS packages inside still call require. The digest of the page's text makes another script of another page: their names go together. */
function banner(version, page) {
  const digest = createHash('sha256').update(page).digest('hex').slice(0, 8);
  return `#!/usr/bin/env node
// Holdfast recovery kit ${version} (page ${digest}): restores backups with nothing but a vault's folder and its key.
// Built from the sources of Holdfast, https://www.apache.org/licenses/LICENSE-2.0. How to use it: README beside it, or --help.
import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url);
{
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < ${OLDEST.major} || (major === ${OLDEST.major} && minor < ${OLDEST.minor})) {
    process.stderr.write('holdfast: Node ' + process.versions.node + ' is too old, wanted ${OLDEST.major}.${OLDEST.minor} or newer.\\nInstall it from https://nodejs.org, or use a container of the image node:22.\\n');
    process.exit(1);
  }
}`;
}

function useShims({ onResolve }) {
  onResolve({ filter: /^node:(zlib|crypto|util)$/ }, ({ path, importer }) => {
    // X-Wing looks by itself for what this Node has.
    if (importer.includes(SHIMS) || importer.includes('node_modules') || importer.endsWith('x-wing.ts')) return undefined;
    return { path: join(ROOT, SHIMS, `${path.slice('node:'.length)}.ts`) };
  });
}

function fill(text, values) {
  const filled = text.replace(/\{\{(\w+)\}\}/g, (whole, name) => values[name] ?? whole);
  if (filled.includes('{{')) throw new Error(`The page of the recovery kit has a place that nothing fills: ${/\{\{\w*/.exec(filled)?.[0]}`);
  return filled;
}
