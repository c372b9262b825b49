import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { ErrorCode } from '../model/errors.ts';
import { BaseBackupProof } from './postgres/base-backup-proof.ts';

/**
 * Who looks at a stream while it is read, as plain data: it is done by the thread that reads, so that no byte is carried
 * anywhere twice.
 */
export interface Inspection {
  readonly by: 'postgres-base-backup';
  /** When the WAL between start and stop must be in it. */
  readonly walSegmentBytes: number | undefined;
}

/** What was found, as plain data, or why the stream is not what it should be; `isEarly`: it was not read to its end. */
export type Inspected = { readonly found: unknown } | { readonly failure: { readonly code: ErrorCode; readonly message: string; readonly isEarly: boolean } };

interface Inspector {
  add(bytes: Uint8Array): void;
  finish(): unknown;
}

const INSPECTORS: Readonly<Record<Inspection['by'], (inspection: Inspection) => Inspector>> = {
  'postgres-base-backup': ({ walSegmentBytes }) => {
    const proof = new BaseBackupProof();
    return { add: (bytes) => proof.add(bytes), finish: () => proof.finish({ walSegmentBytes }) };
  },
};

/** Fails nothing by itself: the source judges, when it has heard the producer too. */
export class StreamInspection {
  readonly #inspector: Inspector;
  #failure: HoldfastError | undefined;

  constructor(inspection: Inspection) {
    this.#inspector = INSPECTORS[inspection.by](inspection);
  }

  /** Nothing that follows can make the stream good: it need not be read any further. */
  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  add(bytes: Uint8Array): void {
    if (!this.hasFailed) this.#trying(() => this.#inspector.add(bytes));
  }

  end(): Inspected {
    const isEarly = this.hasFailed;
    const found = isEarly ? undefined : this.#trying(() => this.#inspector.finish());
    return this.#failure === undefined ? { found } : { failure: { code: this.#failure.code, message: this.#failure.message, isEarly } };
  }

  #trying<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      this.#failure = isHoldfastError(error) ? error : new HoldfastError('source-failed', `Reading it failed: ${error instanceof Error ? error.message : 'for no known reason'}`);
      return undefined;
    }
  }
}

/** What was found; the failure is thrown. Fails as `broken-invariant` when nobody looked. */
export function foundBy(inspected: Inspected | undefined): unknown {
  if (inspected === undefined) throw new HoldfastError('broken-invariant', 'A stream that proves itself while it is read was read by somebody who did not look.');
  if ('failure' in inspected) throw new HoldfastError(inspected.failure.code, inspected.failure.message);
  return inspected.found;
}
