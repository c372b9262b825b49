import { parentPort, workerData } from 'node:worker_threads';
import { END } from '../model/end-thread.ts';
import { isHoldfastError } from '../model/errors.ts';
import { Chunker, gearTable } from '../repository/index.ts';
import { StreamInspection } from '../sources/stream-inspection.ts';
import { crunchFiles } from './crunch-files.ts';
import type { CrunchSettings } from './crunch-settings.ts';
import { Cruncher } from './cruncher.ts';
import { cutStream } from './cutter.ts';
import type { FromThread, ToThread } from './messages.ts';
import { SharedBuffers } from './shared-buffers.ts';
import { loadXattrReader } from './xattrs.ts';

/** Entry of a crunching thread: receive, do it, answer. */
const settings = workerData as CrunchSettings;
const blocks = new SharedBuffers(settings.blocks);
const say = (message: FromThread, transfer: ArrayBuffer[] = []) => parentPort?.postMessage(message, transfer);
let cruncher: Cruncher | undefined;
const readXattrs = settings.keepXattrs ? loadXattrReader() : undefined;

function perform(message: Exclude<ToThread, { type: 'tables' }>): void {
  if (message.type === 'cut') {
    const chunker = new Chunker(gearTable(settings.keys.chunker), settings.chunker[message.sizes]);
    const end = cutStream(message.fd, chunker, blocks, (block) => say({ type: 'cut-block', job: message.job, block }), { stop: new Int32Array(message.stop), inspection: message.inspection && new StreamInspection(message.inspection) });
    return say({ type: 'done', job: message.job, result: end });
  }
  cruncher ??= new Cruncher(settings, (pack) => say({ type: 'pack', pack }));
  if (message.type === 'files') {
    const result = crunchFiles(cruncher, message.paths, { now: Date.now, readXattrs });
    return say({ type: 'done', job: message.job, result }, [result.bodies.buffer as ArrayBuffer]);
  }
  if (message.type === 'block') {
    const result = cruncher.crunchBlock(blocks.view(message.buffer), message.lengths);
    blocks.give(message.buffer);
    return say({ type: 'done', job: message.job, result });
  }
  cruncher.flush();
  say({ type: 'done', job: message.job, result: undefined });
}

parentPort?.on('message', (message: ToThread | typeof END) => {
  if (message === END) return parentPort?.close();
  if (message.type === 'tables') return cruncher?.tables.adopt(message.tables);
  try {
    perform(message);
  } catch (error) {
    const code = isHoldfastError(error) ? error.code : 'broken-invariant';
    say({ type: 'failed', job: message.job, error: { code, message: error instanceof Error ? error.message : String(error) } });
  }
});
