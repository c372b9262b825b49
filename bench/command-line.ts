import { resolve } from 'node:path';
import type { Tool } from './tools.ts';

/** What the placeholders of a tool's commands stand for in one step. */
export type Places = Readonly<Partial<Record<(typeof NAMES)[number], string>>>;

const NAMES = ['repo', 'src', 'out', 'home', 'now', 'port', 'socket', 'server', 'data'] as const;
const PLACEHOLDERS = new RegExp(`\\{(holdfast|wal|pick|${NAMES.join('|')})\\}`, 'g');

/** Nothing of the caller's own: no tool reads a configuration that another machine has not. */
export function environmentOf(tool: Pick<Tool, 'environment'>, places: Places): NodeJS.ProcessEnv {
  const own = Object.entries(tool.environment).map(([name, value]) => [name, fill(value, places)]);
  return { PATH: process.env['PATH'], LANG: 'C.UTF-8', HOME: places.home, ...Object.fromEntries(own) };
}

export function fill(template: string, places: Places): string {
  const node = `'${process.execPath}' --no-warnings`;
  const values: Readonly<Record<string, string | undefined>> = { ...places, holdfast: `${node} '${resolve('dist/holdfast.mjs')}'`, wal: `'${resolve('dist/holdfast-wal')}'`, pick: `${node} '${resolve('bench/pick.ts')}'`, now: places.now?.replaceAll(/\W+/g, '-') };
  return template.replace(PLACEHOLDERS, (placeholder, name: string) => values[name] ?? placeholder);
}
