import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface LockedPackage {
  readonly resolved?: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

describe('package-lock.json', () => {
  const text = readFileSync(join(__dirname, '..', '..', 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as { packages: Record<string, LockedPackage> };

  it('names every optional package of every platform, or `npm ci` would refuse it (scripts/complete-lockfile.mjs adds them)', () => {
    const wanted = Object.entries(packages).flatMap(([path, one]) => (path === '' ? [] : Object.keys(one.optionalDependencies ?? {})));
    expect(wanted.length).toBeGreaterThan(50);
    expect(wanted.filter((name) => !(`node_modules/${name}` in packages))).toEqual([]);
  });

  it('names no registry: whoever installs uses their own', () => {
    expect(Object.entries(packages).filter(([, one]) => one.resolved !== undefined)).toEqual([]);
  });
});
