// Bundles every deployable into dist/: ES modules for Node 24, shared code split into chunks that each entry loads
// on demand. `npm run build` puts the Node of this project first in PATH, which the schema step below needs.
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildKit } from './build-kit.mjs';

const OUT = 'dist';
// `task` is what the worker's image starts (containers/worker/Dockerfile).
const PROGRAMS = { holdfast: 'bin/holdfast.ts', demo: 'bin/demo.ts', task: 'containers/worker/main.ts' };
// Apart from the programs: a chunk that both shared would carry the schemas into every thread that starts.
const THREADS = { worker: 'lib/engine/worker.ts', 'restore-worker': 'lib/recovery/worker.ts', 'verify-worker': 'lib/validation/worker.ts' };
const SCHEMA_SOURCE = 'lib/config/json-schema.ts';
const SCHEMA = 'holdfast.schema.json';
// The folder with the bundles is the image's build context.
const IMAGE = ['Dockerfile', '.dockerignore'];
const SCRIPT = 'holdfast-wal';

process.chdir(join(import.meta.dirname, '..'));
await mkdir(OUT, { recursive: true });
const written = [...(await bundle(PROGRAMS)), ...(await bundle(THREADS)), ...(await schema()), ...(await image()), ...(await kit()), ...(await script())];
await removeStale(new Set(written));

async function bundle(entries) {
  const present = Object.entries(entries).filter(([name, source]) => existsSync(source) || console.log(`skipped ${OUT}/${name}.mjs: no ${source} yet`));
  if (present.length === 0) return [];
  const { metafile } = await build({
    entryPoints: Object.fromEntries(present),
    outdir: OUT,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunk-[hash]',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    sourcemap: false,
    metafile: true,
    logLevel: 'warning',
    // Native and optional: found at run time beside the bundle, or not at all.
    external: ['fs-xattr'],
    // The other form of this package reads its WebAssembly from a file beside it, which a bundle has not.
    alias: { '@platformatic/wasm-utils': '@platformatic/wasm-utils/bundled' },
    // CommonJS packages inside the bundle still call require for Node's own modules.
    banner: { js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);" },
  });
  for (const [name] of present) console.log(`${OUT}/${name}.mjs ${Math.round(metafile.outputs[`${OUT}/${name}.mjs`].bytes / 1024)} KiB`);
  return Object.keys(metafile.outputs).map((path) => basename(path));
}

async function schema() {
  if (!existsSync(SCHEMA_SOURCE)) return [];
  const { jsonSchema } = await import(pathToFileURL(SCHEMA_SOURCE).href);
  await writeFile(join(OUT, SCHEMA), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
  console.log(`${OUT}/${SCHEMA}`);
  return [SCHEMA];
}

async function image() {
  for (const name of IMAGE) await copyFile(join('containers/worker', name), join(OUT, name));
  // What `holdfast --version` reads; its dependencies are in the bundles.
  const { name, version, license } = JSON.parse(await readFile('package.json', 'utf8'));
  await writeFile(join(OUT, 'package.json'), `${JSON.stringify({ name, version, license, private: true }, null, 2)}\n`);
  return [...IMAGE, 'package.json'];
}

async function kit() {
  const { files, bytes } = await buildKit(OUT);
  console.log(`${OUT}/kit.mjs ${Math.round(bytes / 1024)} KiB`);
  return files;
}

async function script() {
  await copyFile(join('bin', SCRIPT), join(OUT, SCRIPT));
  await chmod(join(OUT, SCRIPT), 0o755);
  return [SCRIPT];
}

/** After the new files stand, so that a process started meanwhile finds either build whole. */
async function removeStale(keep) {
  for (const name of await readdir(OUT)) if (!keep.has(name)) await rm(join(OUT, name), { recursive: true });
}
