import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '..', '..');
const LATE_PACKAGE = /\bimport\(\s*'(?!\.|node:)([^']+)'/g;

/** The bundler gives a package that is imported late one default export and none of its names. */
it('no package is imported late: a module of ours is, which imports the package', () => {
  const late = ['lib', 'bin', 'functions', 'containers'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).flatMap((name) => {
      const path = join(folder, name);
      return [...readFileSync(join(ROOT, path), 'utf8').matchAll(LATE_PACKAGE)].map(([, found]) => `${path}: ${found}`);
    }));
  expect(late).toEqual([]);
});
