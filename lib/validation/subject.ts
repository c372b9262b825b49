import { followReplaced, names, packIdOf } from '../repository/index.ts';
import type { Manifest, Refs } from '../repository/index.ts';
import type { PackSurvey, SurveyedPack } from './pack-survey.ts';

/** One backup while its tree is checked. */
export interface Subject {
  readonly snapshot: string;
  readonly manifest: Manifest;
  readonly refsName: string;
  /** Its packs by the 16 bytes of the id that stands in records, replaced ones too. */
  readonly packs: ReadonlyMap<string, SurveyedPack>;
  /** By the same key: names of packs that were lost, and that were replaced only as far as their chunks were found again. */
  readonly lostPacks: ReadonlyMap<string, string>;
}

export function subjectOf(snapshot: string, manifest: Manifest, refs: Refs, survey: PackSurvey): Subject {
  return { snapshot, manifest, refsName: names.refs(manifest.plan, manifest.backup, refs.revision), packs: packsOf(refs, survey), lostPacks: lostPacksOf(refs) };
}

/** Bytes of an id as a key. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).latin1Slice();
}

/** The same key, from the id in hexadecimal digits. */
export function idBytes(hex: string): string {
  return Buffer.from(hex, 'hex').latin1Slice();
}

function packsOf(refs: Refs, survey: PackSurvey): Map<string, SurveyedPack> {
  const packs = new Map<string, SurveyedPack>();
  for (const { name } of refs.packs) packs.set(idBytes(packIdOf(name)), survey.packs.get(name) as SurveyedPack);
  const follow = followReplaced(refs);
  for (const { old } of refs.replaced) {
    const pack = packs.get(idBytes(follow(old)));
    if (pack) packs.set(idBytes(old), pack);
  }
  return packs;
}

function lostPacksOf({ replaced }: Refs): Map<string, string> {
  return new Map(replaced.flatMap(({ old, lost }) => (lost ? [[idBytes(old), lost.name]] : [])));
}
