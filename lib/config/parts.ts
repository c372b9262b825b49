import type { ConfigPath } from './problems.ts';
import type { ResolvedSingleSource, ResolvedSource, ResolvedStandstill } from './resolved-source.ts';
import type { PlanFields } from './schema.ts';
import type { SourceFields } from './source-schema.ts';

/** The sources of a plan, where it names them: one, or the parts of a set. */
export function sourcesAt(at: ConfigPath, source: PlanFields['source']): readonly { readonly at: ConfigPath; readonly source: SourceFields }[] {
  if (source.type !== 'set') return [{ at, source }];
  return Object.entries(source.parts).map(([name, part]) => ({ at: [...at, 'parts', name], source: part }));
}

/** The same of what the file was resolved to. */
export function singlesOf(source: ResolvedSource): readonly ResolvedSingleSource[] {
  return source.type === 'set' ? source.parts.map((part) => part.source) : [source];
}

/** Whether a set holds anything still while it is read. */
export function isHalting({ quiesce, resume, containers }: ResolvedStandstill): boolean {
  return (quiesce ?? resume ?? containers) !== undefined;
}
