import { invariant } from '../../model/errors.ts';

/**
 * Offsets that groups had committed, as offsets of the restored partition: the next record that a group wants is the same. The
 * old ones have holes (markers, aborted and compacted records), the new ones have none, so that copying them would leave
 * records out.
 */
export class OffsetTranslation {
  /** Ascending; those that are not passed yet. */
  readonly #waiting: number[];
  readonly #known = new Map<number, number>();

  constructor(committed: readonly number[]) {
    this.#waiting = [...new Set(committed)].toSorted((left, right) => left - right);
  }

  /** To be called of each record in the order of offsets, with the offset that it gets. */
  pass(offset: number, becomes: number): void {
    for (let first = this.#waiting[0]; first !== undefined && first <= offset; first = this.#waiting[0]) {
      this.#known.set(first, becomes);
      this.#waiting.shift();
    }
  }

  /** All others are at the end, which this is. */
  end(count: number): void {
    this.pass(Number.MAX_SAFE_INTEGER, count);
  }

  of(committed: number): number {
    const found = this.#known.get(committed);
    invariant(found !== undefined, `offset ${committed} was not translated`);
    return found;
  }
}
