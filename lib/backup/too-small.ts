import { HoldfastError } from '../model/errors.ts';
import type { Source } from '../sources/source.ts';

/** An empty mount point looks like a source from which everything was deleted. Fails as `source-failed`. */
export function refuseTooSmall(bytes: number, { description, minimumBytes = 0 }: Pick<Source, 'description' | 'minimumBytes'>, leastOfAll = 0): void {
  const wanted = Math.max(minimumBytes, leastOfAll);
  if (bytes >= wanted) return;
  throw new HoldfastError('source-failed', `The source (${description}) held ${bytes} bytes, wanted at least ${wanted}.`, { nextStep: 'Nothing of this run is kept. Check that what should be there is there and mounted, or lower the minimum size.' });
}
