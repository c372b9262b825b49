/**
 * A suite that is told for hours, or in seconds in CI. Its cases are numbered, and the number of a case is its seed: the
 * same number is the same case, on every machine, whatever ran before it.
 */
export interface LongSuite {
  /** On the command line. */
  readonly name: string;
  /** A sentence with the ids of the promises that it keeps. */
  readonly title: string;
  /** What the cases are, in the plural. */
  readonly unit: string;
  /** Cases told with every run of jest: a few seconds of them. */
  readonly smoke: number;
  /** Cases of `npm run test:long`, or of `npm run test:soak`. */
  readonly long: number;
  /** Wears one process out instead of trying many cases: belongs to `test:soak`. */
  readonly isSoak?: true;
  /** Cases that cannot share a machine with one another (a mount, a port): told one after the other. */
  readonly isAlone?: true;
  /** JavaScript heap of a thread; a case that needs more fails. Default 1024. */
  readonly heapMiB?: number;
  /** A case that takes longer has failed. Generous: for what never ends, not for what is slow. Default 120. */
  readonly patienceSeconds?: number;
  /** Loads what the cases need, in the thread that tells them. */
  open(): Promise<OpenSuite>;
}

export interface OpenSuite {
  /** Cases told at once in one thread, for those that mostly wait; default 1. */
  readonly lanes?: number;
  /** Tells one case. Throws when it fails; the message holds all that a person needs to understand it. */
  tell(seed: number): Promise<void> | void;
  /** When this thread has told its last case: removes what it made. Answers with a line about what it told, where there is one. */
  close?(): Promise<string | void>;
}

/** Cases `first` to `first + count - 1`. */
export interface SeedRange {
  readonly first: number;
  readonly count: number;
}

/** One case that failed. */
export interface CaseFailure {
  readonly seed: number;
  readonly message: string;
}
