import * as z from 'zod';
import { HoldfastError } from '../model/errors.ts';
import type { StackCode } from './stack-input.ts';

const yesOrNo = z.enum(['yes', 'no']).transform((word) => word === 'yes');

/** What `-c name=value` can say, or `context` in cdk.json. */
const context = z.object({
  /** Path of holdfast.yaml. */
  config: z.string().default('holdfast.yaml'),
  /** Name of the stack: another name is another environment. */
  stack: z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,59}$/, 'a letter, then letters, digits and "-", 60 at most').default('holdfast'),
  /** Folder with functions that are bundled already; else synth bundles them. */
  functions: z.string().optional(),
  /** Folder with the worker's bundles and its Dockerfile: what `npm run build` writes. */
  worker: z.string().default('dist'),
  /** A built worker image, `name@sha256:digest`; nothing is built then. */
  image: z.string().optional(),
  /** `newest`, or `debian` for the PostgreSQL client of the base image's Debian. */
  'postgresql-client': z.enum(['newest', 'debian']).default('newest'),
  architecture: z.enum(['X86_64', 'ARM64']).default('X86_64'),
  'termination-protection': yesOrNo.default(true),
  /** Checks by cdk-nag while synthesizing. */
  nag: yesOrNo.default(true),
});

export type AppContext = Omit<z.output<typeof context>, 'termination-protection' | 'postgresql-client'> & { readonly terminationProtection: boolean; readonly postgresqlClient: string };

/** Fails as `usage`, one line for each value that is wrong. */
export function contextOf(read: (name: string) => unknown): AppContext {
  const given = Object.fromEntries(Object.keys(context.shape).map((name) => [name, read(name)]).filter(([, value]) => value !== undefined));
  const parsed = context.safeParse(given);
  if (!parsed.success) {
    throw new HoldfastError('usage', parsed.error.issues.map(({ path, message }) => `-c ${path.join('.')}=${String(given[path.join('.')])}: ${message}`).join('\n'), { nextStep: 'Correct the context and run the command again; docs/deploy.md lists all of it.' });
  }
  const { 'termination-protection': terminationProtection, 'postgresql-client': postgresqlClient, ...rest } = parsed.data;
  return { ...rest, terminationProtection, postgresqlClient };
}

/** Where the code lies that the stack deploys. */
export function codeOf({ image, worker, postgresqlClient }: AppContext, functions: string): StackCode {
  return {
    functions,
    image: image === undefined ? { kind: 'build', directory: worker, dockerfile: 'Dockerfile', buildArgs: { POSTGRESQL_CLIENT: postgresqlClient } } : { kind: 'prebuilt', reference: image },
  };
}
