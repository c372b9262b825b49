import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import type { Stack } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { loadConfig } from '../../../lib/config/load-config.ts';
import { resolveStack } from '../../../lib/config/resolve-stack.ts';
import { deployConfig } from '../../../lib/settings/deploy-config.ts';
import type { RecipientsOfVaults } from '../../../lib/settings/vault-init.ts';
import { HoldfastStack } from '../../../lib/stack/holdfast-stack.ts';
import type { WorkerImage } from '../../../lib/stack/stack-input.ts';
import { RECEIVING_PLAN, withPlan } from '../../../scripts/example-template.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const ROOT = join(__dirname, '..', '..', '..');

/** The example that the guides use. */
export const EXAMPLE = readFileSync(join(ROOT, 'examples', 'aws', 'holdfast.yaml'), 'utf8');

/** With a plan whose WAL is received around the clock. */
export const RECEIVING = withPlan(EXAMPLE, RECEIVING_PLAN);

export interface Resource {
  readonly Type: string;
  readonly Properties: Readonly<Record<string, any>>; // eslint-disable-line typescript/no-explicit-any -- templates are walked as they come
  readonly DeletionPolicy?: string;
  readonly UpdateReplacePolicy?: string;
}

export interface Template {
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

export interface StackWanted {
  readonly name?: string;
  readonly yaml?: string;
  readonly image?: WorkerImage;
  readonly recipients?: RecipientsOfVaults;
}

/**
 * Synthesizes stacks in this process. The functions are empty files: what is asked here is what the template says, and
 * the bundles have tests of their own. `checks` runs CloudFormation's validation and cdk-nag, which take seconds.
 */
export function synthesize(wanted: StackWanted | readonly StackWanted[] = {}, { checks = false } = {}): { readonly templates: readonly Template[]; readonly stacks: readonly Stack[]; readonly outdir: string; readonly synth: () => void } {
  const folder = temporaryFolder();
  const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };
  const app = new App({ outdir: join(folder, 'cdk.out'), context, builtinCloudFormationValidation: checks });
  const stacks = (Array.isArray(wanted) ? (wanted as readonly StackWanted[]) : [wanted as StackWanted]).map((one) => stackIn(app, folder, one));
  if (checks) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  let assembly: ReturnType<App['synth']> | undefined;
  const synth = () => (assembly ??= app.synth());
  return {
    stacks,
    outdir: app.outdir,
    synth,
    get templates() {
      return stacks.map((stack) => synth().getStackByName(stack.stackName).template as Template);
    },
  };
}

/** The one template of one stack. */
export function templateOf(wanted: StackWanted = {}): Template {
  return synthesize(wanted).templates[0] as Template;
}

export function ofType(template: Template, type: string): [logicalId: string, resource: Resource][] {
  return Object.entries(template.Resources).filter(([, resource]) => resource.Type === type);
}

function stackIn(app: App, folder: string, { name = 'shop', yaml = EXAMPLE, image, recipients }: StackWanted): Stack {
  const file = join(folder, 'holdfast.yaml');
  const config = loadConfig(yaml, file);
  return new HoldfastStack(app, name, {
    stackName: name,
    input: { resolved: resolveStack(config), deployed: deployConfig(config, name, recipients) },
    code: { functions: emptyFunctions(folder), image: image ?? emptyImage(folder) },
    architecture: 'X86_64',
    terminationProtection: true,
  });
}

function emptyFunctions(folder: string): string {
  const out = join(folder, 'functions');
  for (const name of readdirSync(join(ROOT, 'functions'))) {
    mkdirSync(join(out, name), { recursive: true });
    writeFileSync(join(out, name, 'index.mjs'), `export const handler = () => '${name}';\n`);
  }
  return out;
}

function emptyImage(folder: string): WorkerImage {
  const directory = join(folder, 'worker');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\n');
  return { kind: 'build', directory, dockerfile: 'Dockerfile', buildArgs: { POSTGRESQL_CLIENT: 'newest' } };
}
