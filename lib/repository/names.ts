import type { PackClass } from './format.ts';

/** Where objects lie (format §2-§9). */
export const CONFIG_NAME = 'holdfast.json';

export const names = {
  slot: (keyNumber: number, slot: string) => `keys/${keyNumber}/${slot}.json`,
  pack: (packClass: PackClass, writer: string, pack: string) => `packs/${packClass}/${writer}/${pack.slice(0, 2)}/${pack}`,
  index: (writer: string, run: string, number: number) => `index/${writer}/${run}-${number}`,
  snapshot: (plan: string, backup: string) => `snapshots/${plan}/${backup}`,
  refs: (plan: string, backup: string, revision: number) => `refs/${plan}/${backup}.${revision}`,
  partial: (plan: string, run: string, number: number) => `partial/${plan}/${run}-${number}`,
  verdict: (backup: string, id: string) => `verdicts/${backup}/${id}`,
  removed: (plan: string, backup: string) => `removed/${plan}/${backup}`,
  coverage: (id: string) => `coverage/${id}`,
  damaged: (pack: string) => `damaged/${pack}`,
  /** A mark's id is a fresh ULID: names of marks are never used twice (format §12). */
  condemned: (pack: string, mark: string) => `condemned/${pack}.${mark}`,
  kit: (file: string) => `kit/${file}`,
} as const;

/** Last component of a pack's name. */
export function packIdOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}
