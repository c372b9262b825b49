import { HoldfastError } from '../../model/errors.ts';

/** What a base backup of PostgreSQL says about itself, without its data being read (`facts` of its manifest). */
export interface BaseBackupFacts {
  /** Of the cluster, as decimal digits: every copy of it has the same one. */
  readonly systemId: string;
  /** On which the backup began. */
  readonly timeline: number;
  /** `X/Y`: replay begins here. */
  readonly startLsn: string;
  /** `X/Y`: from here on the data is consistent; no target can lie before it. */
  readonly stopLsn: string;
  /** Name of the first WAL segment that a recovery needs. */
  readonly startSegment: string;
  readonly walSegmentBytes: number;
  /** As the server calls itself: `18.6`. */
  readonly serverVersion: string;
  /** Milliseconds since the epoch by the server's clock, before the backup was asked for and after it had ended. */
  readonly startedAt: number;
  readonly stoppedAt: number;
  /** Whether the backup holds the WAL from `startLsn` to `stopLsn`, and so restores by itself. */
  readonly hasWal: boolean;
}

type Written = Readonly<Record<string, string | number | boolean>>;

const KIND = 'postgres-base-backup';
const LSN = /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/;
const CHECKS: Readonly<Record<keyof BaseBackupFacts, (value: unknown) => boolean>> = {
  systemId: (value) => typeof value === 'string' && /^\d{1,20}$/.test(value),
  timeline: isPositive,
  startLsn: isLsn,
  stopLsn: isLsn,
  startSegment: (value) => typeof value === 'string' && /^[0-9A-F]{24}$/.test(value),
  walSegmentBytes: isPositive,
  serverVersion: (value) => typeof value === 'string' && /^\d/.test(value),
  startedAt: isPositive,
  stoppedAt: isPositive,
  hasWal: (value) => typeof value === 'boolean',
};

/** As a manifest holds them. */
export function writtenFacts(facts: BaseBackupFacts): Written {
  return { kind: KIND, ...facts };
}

/** The facts of a backup; undefined of one that is no base backup. Fails as `damaged` when they are not whole. */
export async function readFacts({ manifest }: { readonly manifest: { readonly backup: string; readonly facts?: Written | undefined } }): Promise<BaseBackupFacts | undefined> {
  const { facts } = manifest;
  if (facts === undefined || facts['kind'] !== KIND) return undefined;
  for (const [name, isRight] of Object.entries(CHECKS)) {
    if (!isRight(facts[name])) throw new HoldfastError('damaged', `The facts of the base backup ${manifest.backup} are not whole: ${name} is ${JSON.stringify(facts[name])}.`, { nextStep: 'Run `holdfast verify` and take another backup of the plan.' });
  }
  return Object.fromEntries(Object.keys(CHECKS).map((name) => [name, facts[name]])) as unknown as BaseBackupFacts;
}

function isLsn(value: unknown): value is string {
  return typeof value === 'string' && LSN.test(value);
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}
