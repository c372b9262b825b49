import { parentPort, workerData } from 'node:worker_threads';
import { END } from '../model/end-thread.ts';
import type { RepositoryId } from '../model/ids.ts';
import { isHoldfastError } from '../model/errors.ts';
import { Subkeys, releaseBytes } from '../repository/index.ts';
import type { CheckAnswer, CheckJob, CheckSettings } from './check-pool.ts';
import { PackChecker } from './pack-check.ts';

/** Entry of a checking thread: receive a pack, prove it, answer. */
const { repository, keys } = workerData as CheckSettings;
const checker = new PackChecker(new Subkeys(repository as RepositoryId, keys));
const say = (answer: CheckAnswer) => parentPort?.postMessage(answer);

parentPort?.on('message', (message: CheckJob | typeof END) => {
  if (message === END) return parentPort?.close();
  const { job, ref, bytes } = message;
  try {
    const findings = checker.check(ref, bytes);
    releaseBytes(bytes);
    say({ job, findings });
  } catch (error) {
    const known = isHoldfastError(error) ? error : undefined;
    say({ job, error: { code: known?.code ?? 'broken-invariant', message: error instanceof Error ? error.message : String(error), nextStep: known?.nextStep } });
  }
});
