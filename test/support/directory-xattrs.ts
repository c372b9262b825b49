import { parentPort, workerData } from 'node:worker_threads';
import { directoryXattrs } from '../../lib/backup/entry-bodies.ts';
import { loadXattrReader } from '../../lib/engine/xattrs.ts';
import { fromText } from '../../lib/model/byte-string.ts';

/** A thread that answers with the extended attributes of one directory. */
const reader = loadXattrReader();
parentPort?.postMessage(reader && directoryXattrs(fromText(workerData as string), reader));
