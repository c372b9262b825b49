import { chmodSync, writeFileSync } from 'node:fs';

/** A program made of a line for the shell. */
export function shellProgram(path: string, line: string): void {
  writeFileSync(path, `#!/bin/sh\n${line}\n`);
  chmodSync(path, 0o755);
}
