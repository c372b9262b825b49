import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { PARTIAL_PREFIX } from '../../../lib/recovery/export/new-file.ts';
import type { KillDesk } from './desk.ts';

/**
 * Whatever has the name of an export is one: its metadata and checksum stand beside it and are right, and it holds what
 * the source was. Answers how many there are, and takes them away; what is not whole stays for the next export to find.
 */
export function expectWholeExports(desk: KillDesk, id: string): number {
  const folder = desk.person.path('exports');
  const names = readdirSync(folder).filter((name) => !isUnfinished(name));
  for (const name of names) if (name.endsWith('.json')) JSON.parse(readFileSync(join(folder, name), 'utf8'));
  const exports = names.filter((name) => !/\.(?:json|sha256)$/.test(name));
  for (const name of exports) expectWhole(desk, id, join(folder, name));
  for (const name of names) rmSync(join(folder, name));
  return exports.length;
}

/** An export that came to its end has removed what killed ones left there. */
export function expectNoneUnfinished({ person }: KillDesk): void {
  const left = readdirSync(person.path('exports')).filter(isUnfinished);
  if (left.length > 0) throw new Error(`of killed exports there is still ${left.join(', ')}`);
}

function isUnfinished(name: string): boolean {
  return name.startsWith(PARTIAL_PREFIX);
}

function expectWhole(desk: KillDesk, id: string, path: string): void {
  const bytes = readFileSync(path);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const metadata = JSON.parse(readFileSync(`${path}.json`, 'utf8')) as { sha256: string; bytes: number };
  const said = readFileSync(`${path}.sha256`, 'latin1').slice(0, 64);
  if (metadata.sha256 !== digest || metadata.bytes !== bytes.length || said !== digest) throw new Error(`${path} has ${bytes.length} bytes and the SHA-256 ${digest}, beside it stand ${JSON.stringify(metadata)} and ${said}`);
  const unpacked = desk.person.path('unpacked');
  rmSync(unpacked, { recursive: true, force: true });
  mkdirSync(unpacked);
  const { status, stderr } = spawnSync('tar', ['-xpf', '-', '-C', unpacked], { input: path.endsWith('.gz') ? gunzipSync(bytes) : path.endsWith('.zst') ? zstdDecompressSync(bytes) : bytes });
  if (status !== 0) throw new Error(`tar does not read ${path}: ${stderr.toString()}`);
  desk.expectTree(id, unpacked);
}
