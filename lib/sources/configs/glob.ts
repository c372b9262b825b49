import { lstat, readdir } from 'node:fs/promises';
import picomatch from 'picomatch';
import { byteString, fromText, fsPath } from '../../model/byte-string.ts';
import type { ByteString } from '../../model/byte-string.ts';

/** Path that could not be looked into, and why (EACCES, EIO, …). */
export type Unseen = (path: ByteString, code: string) => void;

const MAGIC = /[*?[\]{}!()]/;

export function isPattern(path: string): boolean {
  return MAGIC.test(path);
}

/**
 * Every path that an absolute pattern matches, in no order: `*`, `?`, `[…]`, `{…}` within a name, `**` for any folders. Names with
 * a leading dot match as others do. Folders that cannot be read are told to `unseen`, for a match may lie in them; links to
 * folders are followed by names and patterns, and not by `**`, which would go round in circles.
 */
export async function* expand(pattern: string, unseen: Unseen): AsyncGenerator<ByteString> {
  const components = fromText(pattern).split('/').filter((component) => component !== '' && component !== '.');
  yield* below('' as ByteString, components, unseen);
}

async function* below(folder: ByteString, [first, ...rest]: readonly string[], unseen: Unseen): AsyncGenerator<ByteString> {
  if (first === undefined) {
    yield folder;
  } else if (first === '**') {
    yield* below(folder, rest, unseen);
    for (const { path, isFolder } of await children(folder, unseen)) if (isFolder) yield* below(path, [first, ...rest], unseen);
  } else if (isPattern(first)) {
    const matches = picomatch(first, { dot: true });
    for (const { name, path } of await children(folder, unseen)) if (matches(name)) yield* found(path, rest, unseen);
  } else {
    yield* found(`${folder}/${first}` as ByteString, rest, unseen);
  }
}

async function* found(path: ByteString, rest: readonly string[], unseen: Unseen): AsyncGenerator<ByteString> {
  if (rest.length > 0) return yield* below(path, rest, unseen);
  const there = await lstat(fsPath(path)).catch(({ code = '?' }: NodeJS.ErrnoException) => {
    if (!ABSENT.has(code)) unseen(path, code);
  });
  if (there) yield path;
}

const ABSENT: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR']);

interface Child {
  readonly name: string;
  readonly path: ByteString;
  readonly isFolder: boolean;
}

async function children(folder: ByteString, unseen: Unseen): Promise<Child[]> {
  try {
    const entries = await readdir(fsPath((folder || '/') as ByteString), { withFileTypes: true, encoding: 'buffer' });
    return entries.map((entry) => {
      const name = byteString(entry.name as unknown as Uint8Array);
      return { name, path: `${folder}/${name}` as ByteString, isFolder: entry.isDirectory() };
    });
  } catch (error) {
    const { code = '?' } = error as NodeJS.ErrnoException;
    if (!ABSENT.has(code)) unseen(folder, code);
    return [];
  }
}
