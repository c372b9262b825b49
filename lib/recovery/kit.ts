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

/** Script first: a page that is there says that its script is. Names follow from the script's digest, so they are written once. */
export function kitFiles({ script, page }: Kit): readonly [script: KitFile, page: KitFile] {
  const digest = sha256(script).toString('hex').slice(0, 8);
  return [{ file: `holdfast-kit-${digest}.mjs`, bytes: script }, { file: `README-${digest}.txt`, bytes: page }];
}

/**
 * Puts the kit into a vault unless it is there; answers whether it was put. One question to the store when it is. Older
 * kits stay: nobody may overwrite or delete them, and they go on to restore what they know. Callable again after any failure.
 */
export async function keepKit(store: Pick<Store, 'put' | 'stat'>, kit: Kit): Promise<boolean> {
  const [script, page] = kitFiles(kit);
  const isThere = await store.stat(names.kit(page.file)).then(() => true, (error: unknown) => {
    if (isHoldfastError(error, 'not-found')) return false;
    throw error;
  });
  if (isThere) return false;
  for (const { file, bytes } of [script, page]) await store.put(names.kit(file), bytes);
  return true;
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
