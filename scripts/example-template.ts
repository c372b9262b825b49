import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { loadConfig } from '../lib/config/load-config.ts';
import { resolveStack } from '../lib/config/resolve-stack.ts';
import { deployConfig } from '../lib/settings/deploy-config.ts';
import { HoldfastStack } from '../lib/stack/holdfast-stack.ts';

const ROOT = join(import.meta.dirname, '..');
export const EXAMPLE_FILE = 'examples/aws/holdfast.yaml';

/** A plan whose WAL is received around the clock, which the example has not: it costs money while nothing happens. */
export const RECEIVING_PLAN = '  cluster: { source: { type: postgres, mode: physical, host: db.internal.example.com, user: holdfast, password: "${secret:shop/cluster#password}" }, wal-receiver: {} }';

/** With one plan more. */
export function withPlan(example: string, plan: string): string {
  return example.replace(/^plans:$/m, `plans:\n${plan}`);
}

/** The template of the example, as stack `shop`. The code of functions and image plays no part in it but by its hash. */
export function exampleTemplate(plan?: string): { readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties?: Readonly<Record<string, unknown>> }>> } {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-example-'));
  try {
    const file = join(ROOT, EXAMPLE_FILE);
    const text = readFileSync(file, 'utf8');
    const config = loadConfig(plan === undefined ? text : withPlan(text, plan), file);
    const { context } = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };
    const app = new App({ outdir: join(folder, 'cdk.out'), context, builtinCloudFormationValidation: false });
    new HoldfastStack(app, 'shop', {
      stackName: 'shop',
      input: { resolved: resolveStack(config), deployed: deployConfig(config, 'shop') },
      code: { functions: emptyFunctions(folder), image: { kind: 'build', directory: emptyImage(folder), dockerfile: 'Dockerfile', buildArgs: {} } },
      architecture: 'X86_64',
      terminationProtection: true,
    });
    return app.synth().getStackByName('shop').template as ReturnType<typeof exampleTemplate>;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function emptyFunctions(folder: string): string {
  for (const name of readdirSync(join(ROOT, 'functions'))) {
    mkdirSync(join(folder, 'functions', name), { recursive: true });
    writeFileSync(join(folder, 'functions', name, 'index.mjs'), '');
  }
  return join(folder, 'functions');
}

function emptyImage(folder: string): string {
  mkdirSync(join(folder, 'worker'));
  writeFileSync(join(folder, 'worker', 'Dockerfile'), 'FROM scratch\n');
  return join(folder, 'worker');
}
