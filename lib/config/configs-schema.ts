import * as z from 'zod';
import { path, strictMap, text, yesOrNo } from './schema-words.ts';
import { keysProblem, servicePlace } from './service-words.ts';
import type { ResolvedServicePlace } from './service-words.ts';

/** Listed files, parameters and secrets, with every default filled in. */
export interface ResolvedConfigs extends ResolvedServicePlace {
  readonly type: 'configs';
  readonly files: readonly ResolvedConfigFile[];
  /** Names, or what they begin with and a `*`. */
  readonly parameters: readonly string[];
  readonly secrets: readonly string[];
}

export interface ResolvedConfigFile {
  readonly path: string;
  readonly isOptional: boolean;
  readonly kind: 'file' | 'environment';
}

const FILE_WANTED = 'a path, or { path: …, optional: true }';
const file = z.union([path, strictMap({ path, optional: yesOrNo().default(false) }, FILE_WANTED)], { error: FILE_WANTED });
const files = z.array(file, { error: `a list of ${FILE_WANTED}` });

const PARAMETER_WANTED = 'the name of a parameter, or a path that ends in "/*", such as "/shop/prod/*"';
const parameter = text(PARAMETER_WANTED).regex(/^(?:[a-zA-Z0-9_.\-/]+|\/(?:[a-zA-Z0-9_.\-/]+\/)?\*)$/, { error: PARAMETER_WANTED });
const SECRET_NAME_WANTED = 'the name of a secret, or what names begin with and "*", such as "shop/prod/*"';
const secretName = text(SECRET_NAME_WANTED).regex(/^[A-Za-z0-9/_+=.@-]*\*?$/, { error: SECRET_NAME_WANTED });

export const configs = strictMap({
  type: z.literal('configs'),
  files: files.optional().meta({ description: 'Files and patterns (`/etc/nginx/**/*.conf`). One that is not there fails the run, unless it is optional: then it is a warning.' }),
  'environment-files': files.optional().meta({ description: 'The same for files of NAME=value; lines that are none are told by their numbers.' }),
  parameters: z.array(parameter, { error: `a list of: ${PARAMETER_WANTED}` }).optional().meta({ description: 'Parameters of SSM by name, or all below a path.' }),
  secrets: z.array(secretName, { error: `a list of: ${SECRET_NAME_WANTED}` }).optional().meta({ description: 'Secrets of Secrets Manager by name, or all whose names begin so.' }),
  ...servicePlace,
}, 'a configs source').superRefine((fields, context) => {
  const problem = keysProblem(fields);
  if (problem !== undefined) context.addIssue({ code: 'custom', path: ['access-key-id'], message: problem });
  if ([fields.files, fields['environment-files'], fields.parameters, fields.secrets].every((list = []) => list.length === 0)) context.addIssue({ code: 'custom', path: ['files'], message: 'at least one of files, environment-files, parameters, secrets' });
});

export type ConfigsFields = z.output<typeof configs>;
