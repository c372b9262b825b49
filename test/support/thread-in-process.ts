import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { crunchFiles } from '../../lib/engine/crunch-files.ts';
import type { CrunchSettings } from '../../lib/engine/crunch-settings.ts';
import { Cruncher } from '../../lib/engine/cruncher.ts';
import type { FromThread, ToThread } from '../../lib/engine/messages.ts';
import { END } from '../../lib/model/end-thread.ts';

/**
 * Stands in for a crunching thread where hundreds of runs would spend minutes on starting threads: the same work in the
 * calling thread, answers as late as a thread's. Files only. It must not be given so much that it waits for a buffer.
 */
export function threadInProcess(settings: CrunchSettings, now: () => number = Date.now): Worker {
  const events = new EventEmitter();
  const say = (message: FromThread) => void setImmediate(() => events.emit('message', message));
  const cruncher = new Cruncher(settings, (pack) => say({ type: 'pack', pack }));
  const postMessage = (message: ToThread | typeof END) => {
    if (message === END) return void setImmediate(() => events.emit('exit', 0));
    if (message.type === 'tables') return cruncher.tables.adopt(message.tables);
    if (message.type === 'files') return say({ type: 'done', job: message.job, result: crunchFiles(cruncher, message.paths, { now, readXattrs: undefined }) });
    if (message.type !== 'flush') throw new Error(`no ${message.type} here`);
    cruncher.flush();
    say({ type: 'done', job: message.job, result: undefined });
  };
  return Object.assign(events, { postMessage, terminate: async () => 0 }) as unknown as Worker;
}
