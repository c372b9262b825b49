import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PROGRAM } from '../e2e/program.ts';
import type { Person } from '../e2e/program.ts';

/** A restored server runs as user postgres, which may not read what this one made; `data` is a folder of that user. */
export function readableBy(data: string, person: Person): void {
  const { uid, gid } = statSync(data);
  chmodSync(person.folder, 0o755);
  for (const path of ['vault', 'key', 'work', 'state'].filter((name) => existsSync(person.path(name)))) spawnSync('chown', ['-R', `${uid}:${gid}`, person.path(path)]);
}

/** The program and its Node where user postgres reaches them: a checkout may lie where only root may go. */
export function reachableProgram(person: Person): { readonly node: string; readonly script: string } {
  const program = person.path('program');
  if (!existsSync(program)) {
    mkdirSync(program);
    cpSync(dirname(PROGRAM), join(program, 'dist'), { recursive: true });
    cpSync(join(__dirname, '..', '..', 'package.json'), join(program, 'package.json'));
    cpSync(process.execPath, join(program, 'node'));
    chmodSync(program, 0o755);
  }
  return { node: join(program, 'node'), script: join(program, 'dist', 'holdfast.mjs') };
}
