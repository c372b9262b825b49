import { execFileSync } from 'node:child_process';
import { mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Rig } from './rig.ts';

/** A folder that holds no more than so many bytes, for the worker's user; a file system of its own. */
export function smallDisk({ folder, guardian }: Pick<Rig, 'folder' | 'guardian'>, bytes: number): { readonly path: string; remove(): void } {
  const path = join(folder, 'small-disk');
  mkdirSync(path, { recursive: true });
  guardian.overMount(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},uid=1000,gid=1000,mode=0700`, 'holdfast-rig', path]);
  const remove = () => {
    execFileSync('umount', ['--lazy', path]);
    rmdirSync(path);
  };
  return { path, remove };
}
