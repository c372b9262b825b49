import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { crunchFiles } from '../../lib/engine/crunch-files.ts';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import { Cruncher } from '../../lib/engine/cruncher.ts';
import { cutStream } from '../../lib/engine/cutter.ts';
import type { FromThread, ToThread } from '../../lib/engine/messages.ts';
import { SharedBuffers } from '../../lib/engine/shared-buffers.ts';
import { END } from '../../lib/model/end-thread.ts';
import { Chunker, gearTable } from '../../lib/repository/index.ts';
import { StreamInspection } from '../../lib/sources/stream-inspection.ts';

/**
 * Stands in for a crunching thread where hundreds of runs would spend minutes on starting threads: the same work in the
 * calling thread, answers as late as a thread's. It must not be given so much that it waits for a buffer, nor a stream that
 * somebody is to stop: it waits for what it reads, and everybody with it.
 */
export function threadInProcess(settings: CrunchSettings, now: () => number = Date.now): Worker {
  const events = new EventEmitter();
  const say = (message: FromThread) => void setImmediate(() => events.emit('message', message));
  const blocks = new SharedBuffers(settings.blocks);
  const cruncher = new Cruncher(settings, (pack) => say({ type: 'pack', pack }));
  const postMessage = (message: ToThread | typeof END) => {
    if (message === END) return void setImmediate(() => events.emit('exit', 0));
    if (message.type === 'tables') return cruncher.tables.adopt(message.tables);
    if (message.type === 'files') return say({ type: 'done', job: message.job, result: crunchFiles(cruncher, message.paths, { now, readXattrs: undefined }) });
    if (message.type === 'cut') {
      const chunker = new Chunker(gearTable(settings.keys.chunker), settings.chunker[message.sizes]);
      const result = cutStream(message.fd, chunker, blocks, (block) => say({ type: 'cut-block', job: message.job, block }), { stop: new Int32Array(message.stop), inspection: message.inspection && new StreamInspection(message.inspection) });
      return say({ type: 'done', job: message.job, result });
    }
    if (message.type === 'block') {
      const result = cruncher.crunchBlock(blocks.view(message.buffer), message.lengths);
      blocks.give(message.buffer);
      return say({ type: 'done', job: message.job, result });
    }
    cruncher.flush();
    say({ type: 'done', job: message.job, result: undefined });
  };
  return Object.assign(events, { postMessage, terminate: async () => 0 }) as unknown as Worker;
}
