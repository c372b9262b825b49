import { randomBytes } from 'node:crypto';
import { ulid } from 'ulid';

type Brand<T, B extends string> = T & { readonly __brand: B };

/** 128 random bits, 32 lower-case hexadecimal digits, never reused. */
export type RepositoryId = Brand<string, 'RepositoryId'>;
export type PackId = Brand<string, 'PackId'>;
export type SlotId = Brand<string, 'SlotId'>;
export type WriterId = Brand<string, 'WriterId'>;
/** Opaque name of a plan in the store: 32 hexadecimal digits; the readable name is only inside sealed objects. */
export type PlanId = Brand<string, 'PlanId'>;
/** ULIDs: sortable by the writer's clock for people, never for decisions. */
export type RunId = Brand<string, 'RunId'>;
export type BackupId = Brand<string, 'BackupId'>;

const HEX_ID = /^[0-9a-f]{32}$/;
const ULID = /^[0-9A-HJKMNP-TV-Z]{26}$/;

export function isHexId(text: string): boolean {
  return HEX_ID.test(text);
}

export function isUlid(text: string): boolean {
  return ULID.test(text);
}

/** `random` defaults to the operating system's generator; simulations pass a seeded one. */
export function newHexId<T extends string>(random: (size: number) => Uint8Array = randomBytes): T {
  return Buffer.from(random(16)).toString('hex') as T;
}

export function newUlid<T extends string>(milliseconds: number, random: (size: number) => Uint8Array = randomBytes): T {
  return ulid(milliseconds, () => (random(1)[0] ?? 0) / 256) as T;
}
