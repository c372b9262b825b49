import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import { keepKit } from '../recovery/kit.ts';
import type { Kit } from '../recovery/kit.ts';
import type { Store } from '../stores/store.ts';

/** Where the build put the recovery kit. */
export interface KitPlaces {
  readonly script: URL;
  readonly page: URL;
}

/** Fails as `not-found` when this installation lacks it. */
export async function readKit({ script, page }: KitPlaces): Promise<Kit> {
  const read = (place: URL) =>
    readFile(place).catch((cause: NodeJS.ErrnoException) => {
      throw new HoldfastError('not-found', `The recovery kit of this installation cannot be read: ${fileURLToPath(place)} (${cause.code}).`, { nextStep: 'Install Holdfast again, or run `npm run build` in its sources.', cause });
    });
  return { script: await read(script), page: await read(page) };
}

/**
 * Sees to it that the vault holds the kit of this program. A vault without one is as good as with it while Holdfast is
 * there: what goes wrong is answered in words and fails nothing.
 */
export async function bringKit(store: Pick<Store, 'put' | 'stat'>, places: KitPlaces | undefined): Promise<string | undefined> {
  // Run from its sources a program has no kit.
  if (places === undefined) return undefined;
  try {
    await keepKit(store, await readKit(places));
    return undefined;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return `The recovery kit could not be put into the vault: ${error.message} Backups are not touched by this; \`holdfast kit --to DIR\` writes the kit elsewhere.`;
  }
}
