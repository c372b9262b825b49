import * as z from 'zod';
import { hook } from './hooks-schema.ts';
import { durationWithin, named, oneOf, strictMap } from './schema-words.ts';
import { source } from './source-schema.ts';

const NAME_WANTED = 'names of letters, digits, "_" and "-", beginning with a letter';
const CONTAINER_WANTED = 'the name or id of a container';
const CONTAINERS_WANTED = 'a list of names of containers';
const FEWEST = 'at least two parts: a plan of one source needs no set';

const set = strictMap({
  type: z.literal('set').meta({ description: 'Several sources in one backup, which holds all of them or is not made.' }),
  // Keys that look like numbers would lose their place: the order is that of the file.
  parts: named('sources', source).superRefine((parts, context) => {
    for (const name of Object.keys(parts)) if (!/^[A-Za-z][\w-]*$/.test(name)) context.addIssue({ code: 'custom', path: [name], message: NAME_WANTED });
    if (Object.keys(parts).length < 2) context.addIssue({ code: 'custom', message: FEWEST });
  }).meta({ description: 'Sources by name; each lies below a folder of its name in the backup. Read one after another, in the order of the file.' }),
  quiesce: hook.optional().meta({ description: 'Runs before the first part is read, when everything has been checked; when it fails, the run fails and nothing is read.' }),
  resume: hook.optional().meta({ description: 'Runs when the last part was read, and whatever went wrong after `quiesce` was started; when it fails, the backup stays and the run ends with a warning.' }),
  'stop-containers': z.array(z.string({ error: CONTAINER_WANTED }).regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, { error: CONTAINER_WANTED }), { error: CONTAINERS_WANTED }).min(1, { error: CONTAINERS_WANTED }).optional().meta({ description: 'Containers that are stopped after `quiesce`, in this order, and started again before `resume`; those that were not running stay stopped.' }),
  'container-program': oneOf(['docker', 'podman']).optional().meta({ description: 'What stops and starts them; docker, or podman where there is no docker.' }),
  'stop-timeout': durationWithin('1s', '1h').default(30_000).meta({ description: 'A container that takes longer to stop is killed, which is a warning; 1s to 1h.' }),
}, 'a set').superRefine(({ parts, ...fields }, context) => {
  const issue = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  if (fields['container-program'] !== undefined && fields['stop-containers'] === undefined) issue(['container-program'], '`stop-containers` beside it');
  const one = Object.entries(parts);
  // One stream of records of file attributes is made by all threads alike.
  const xattrs = one.filter(([, part]) => part.type === 'files').map(([name, part]) => [name, 'xattrs' in part && part.xattrs] as const);
  const odd = xattrs.find(([, value]) => value !== xattrs[0]?.[1]);
  if (odd !== undefined) issue(['parts', odd[0], 'xattrs'], `${xattrs[0]?.[1]}, as in the part ${xattrs[0]?.[0]}: all files parts of a set keep them, or none`);
  const physical = one.filter(([, part]) => part.type === 'postgres' && part.mode === 'physical').map(([name]) => name);
  if (physical.length > 1) issue(['parts', physical[1] as string, 'mode'], `logical: a set has at most one base backup, and ${physical[0]} is one`);
});

export type SetFields = z.output<typeof set>;

const kinds = [...source.options.map((option) => ('shape' in option ? option.shape : option.options[0].shape).type.value), 'set'].join(', ');

/** What a plan may protect: one source, or several as a set. */
export const planSource = z.discriminatedUnion('type', [...source.options, set], {
  error: (issue) => (issue.code === 'invalid_union' ? `one of ${kinds}` : `a source: a map with "type" (${kinds}) and its fields`),
});
