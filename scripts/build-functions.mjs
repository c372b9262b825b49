// Bundles each Lambda into a folder of its own, which is its asset: ES modules for Node 24 with the SDK inside, so that
// what was tested is what runs. `node scripts/build-functions.mjs OUT` prints size and import time of each.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { buildKit } from './build-kit.mjs';

const ROOT = join(import.meta.dirname, '..');

/** Names of all functions: folders below functions/ with a handler. */
export function functionNames() {
  return readdirSync(join(ROOT, 'functions')).filter((name) => existsSync(join(ROOT, 'functions', name, 'handler.ts'))).sort();
}

/**
 * Writes `<outFolder>/<name>/index.mjs` with the export `handler`, and its source map. The same sources give the same
 * bytes wherever they are built: the stack's assets are named by them. Answers the sizes.
 */
export async function buildFunctions(outFolder, names = functionNames()) {
  const files = await bundle(names);
  const built = [];
  for (const name of names) {
    const folder = join(resolve(outFolder), name);
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const own = files.filter(({ path }) => basename(dirname(path)) === name);
    for (const { path, contents } of own) await writeFile(join(folder, basename(path)), contents);
    // What it puts into every vault.
    if (name === 'vault-init') await buildKit(folder);
    built.push({ name, folder, bytes: own.find(({ path }) => path.endsWith('.mjs')).contents.length });
  }
  return built;
}

async function bundle(names) {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(names.map((name) => [`${name}/index`, `functions/${name}/handler.ts`])),
    // Written elsewhere: paths in the source maps count from here, whatever the folder.
    outdir: 'dist/functions',
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // The packages' ES modules: of their CommonJS form nothing can be left out.
    mainFields: ['module', 'main'],
    minifySyntax: true,
    minifyWhitespace: true,
    sourcemap: 'linked',
    sourcesContent: false,
    logLevel: 'warning',
    // Native and optional: no function restores files.
    external: ['fs-xattr'],
    // CommonJS packages inside the bundle still call require for Node's own modules, and pino asks for its folder.
    banner: { js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);const __dirname=import.meta.dirname,__filename=import.meta.filename;" },
  });
  return outputFiles;
}

/** Milliseconds that a fresh process takes to load the bundle, the least of three: what a cold start pays. */
export function importMilliseconds(file) {
  const code = `const began=performance.now();await import(${JSON.stringify(pathToFileURL(file).href)});process.stdout.write(String(performance.now()-began))`;
  const times = [1, 2, 3].map(() => Number(spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }).stdout));
  return Math.min(...times);
}

if (import.meta.main) {
  const out = process.argv[2];
  if (out === undefined) {
    console.error('usage: node scripts/build-functions.mjs OUT_FOLDER');
    process.exit(64);
  }
  for (const { name, folder, bytes } of await buildFunctions(out)) {
    console.log(`${name.padEnd(16)} ${String(Math.round(bytes / 1024)).padStart(6)} KiB  import ${importMilliseconds(join(folder, 'index.mjs')).toFixed(0)} ms`);
  }
}
