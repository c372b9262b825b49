import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const made: string[] = [];

// Threads of long suites have no test file that ends: they bring their own folders.
if ('afterAll' in globalThis) {
  afterAll(() => {
    for (const path of made) rmSync(path, { recursive: true, force: true });
  });
}

/** A fresh folder on disk; all are removed when the test file ends. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'));
  made.push(path);
  return path;
}
