import { setFlagsFromString } from 'node:v8';

/**
 * From now on the young generation of this thread stays as small as it is. Walking a large tree would let it grow to
 * 100 MiB of garbage; kept small it costs no measurable time (131,000 files: 376 to 265 MiB at the peak, same seconds).
 */
export function keepHeapSmall(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}
