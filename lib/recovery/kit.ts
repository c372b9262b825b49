import { isHoldfastError } from '../model/errors.ts';
import { names, sha256 } from '../repository/index.ts';
import type { Store } from '../stores/store.ts';

/** The recovery kit (K10) as the build makes it: one script, and the page that explains it. */
export interface Kit {
  readonly script: Uint8Array;
  /** Names the script of its digest: they belong together. */
  readonly page: Uint8Array;
}

export interface KitFile {
  /** Last component of its name in a vault, and its name beside one. */
  readonly file: string;
  readonly bytes: Uint8Array;
}

/** Script first: a page that is there names a script that is there, too. Names follow from the script's digest, so they are written once. */
export function kitFiles({ script, page }: Kit): readonly [script: KitFile, page: KitFile] {
  const digest = sha256(script).toString('hex').slice(0, 8);
  return [{ file: `holdfast-kit-${digest}.mjs`, bytes: script }, { file: `README-${digest}.txt`, bytes: page }];
}

/**
 * Puts the kit into a vault unless it is there; answers whether it was put. Asks the store for both files, since somebody
 * may have deleted one. Older kits stay: nobody may overwrite or delete them, and they go on to restore what they know.
 * Callable again after any failure.
 */
export async function keepKit(store: Pick<Store, 'put' | 'stat'>, kit: Kit): Promise<boolean> {
  const files = kitFiles(kit);
  const areThere = await Promise.all(files.map(({ file }) => isThere(store, names.kit(file))));
  const missing = files.filter((_, index) => !areThere[index]);
  for (const { file, bytes } of missing) await store.put(names.kit(file), bytes);
  return missing.length > 0;
}

async function isThere(store: Pick<Store, 'stat'>, name: string): Promise<boolean> {
  return store.stat(name).then(() => true, (error: unknown) => {
    if (isHoldfastError(error, 'not-found')) return false;
    throw error;
  });
}

const SCRIPT = /^kit\/holdfast-kit-([0-9a-f]{8})\.mjs$/;
const PAGE = /^kit\/README-[0-9a-f]{8}\.txt$/;

/** What is wrong with an object below `kit/`, as far as its name says. Who may write there can make a name that fits: see docs/threat-model.md. */
export function kitProblem(name: string, stored: Uint8Array): string | undefined {
  const [, wanted] = SCRIPT.exec(name) ?? [];
  if (wanted === undefined) return PAGE.test(name) ? undefined : 'no recovery kit has such a file';
  const seen = sha256(stored).toString('hex').slice(0, 8);
  return wanted === seen ? undefined : `its SHA-256 begins with ${seen}, wanted ${wanted}`;
}
