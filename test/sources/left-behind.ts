import { readdirSync } from 'node:fs';

/** In a folder for temporary files: what may hold a password or a pipe, and must be gone whatever happened. */
export function leftBehindIn(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^(holdfast|scratch)-/.test(name));
}
