// Run after `npm install` changed package-lock.json: npm leaves out optional packages for other platforms when the
// registry at hand lacks them, and then refuses `npm ci` everywhere because the lock "is not in sync". This adds what is
// missing, by version and without a checksum (npm takes it from the registry of whoever is on that platform).
// `test/house/lockfile.test.ts` says when it is needed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const FILE = join(import.meta.dirname, '..', 'package-lock.json');
const SYSTEMS = ['darwin', 'linux', 'win32', 'freebsd', 'android', 'openharmony'];
const PROCESSORS = { arm64: 'arm64', arm: 'arm', x64: 'x64', ia32: 'ia32', ppc64: 'ppc64', s390x: 's390x', riscv64: 'riscv64', loong64: 'loong64' };
const LIBRARIES = { musl: 'musl', gnu: 'glibc', musleabihf: 'musl', gnueabihf: 'glibc' };

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
const added = missing(lock.packages).map(([parent, name, version]) => {
  lock.packages[`node_modules/${name}`] = entry(parent, name, version);
  return `${name}@${version}`;
});
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a === '' ? -1 : b === '' ? 1 : a.localeCompare(b, 'en'))));
writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'nothing was missing' : `added ${added.join(', ')}`);

function missing(packages) {
  return Object.entries(packages).flatMap(([path, parent]) =>
    path === '' ? [] : Object.entries(parent.optionalDependencies ?? {}).filter(([name]) => !(`node_modules/${name}` in packages)).map(([name, version]) => [parent, name, version]),
  );
}

/** The platform stands in the name, as in `@swc/core-linux-arm64-musl`. */
function entry(parent, name, version) {
  const [, ...words] = name.split(/[-/]/);
  const find = (table) => Object.entries(table).find(([word]) => words.includes(word))?.[1];
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = find(PROCESSORS);
  const libc = find(LIBRARIES);
  if (os === undefined || cpu === undefined || !/^\d+\.\d+\.\d+/.test(version)) throw new Error(`cannot tell the platform of ${name}@${version}; add it to the lock by hand`);
  return {
    version, cpu: [cpu], ...(parent.dev ? { dev: true } : {}), ...(os === 'linux' && libc !== undefined ? { libc: [libc] } : {}),
    ...(parent.license ? { license: parent.license } : {}), optional: true, os: [os], ...(parent.engines ? { engines: parent.engines } : {}),
  };
}
