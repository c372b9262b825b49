import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { loadConfig } from '../lib/config/load-config.ts';
import { resolveStack } from '../lib/config/resolve-stack.ts';
import { HoldfastError, isHoldfastError } from '../lib/model/errors.ts';
import { deployConfig } from '../lib/settings/deploy-config.ts';
import { codeOf, contextOf } from '../lib/stack/app-context.ts';
import { HoldfastStack } from '../lib/stack/holdfast-stack.ts';

// npx cdk deploy -c config=holdfast.yaml -c stack=holdfast; lib/stack/app-context.ts lists all of the context.
await main().catch((error: unknown) => {
  if (!isHoldfastError(error) || error.code === 'broken-invariant') throw error;
  // A mistake in the file is no crash: people get the line, not a stack.
  process.stderr.write(`${error.message}\n${error.nextStep ?? ''}\n`);
  process.exitCode = 1;
});

async function main(): Promise<void> {
  const app = new App();
  const context = contextOf((name) => app.node.tryGetContext(name));
  const file = resolve(context.config);
  const config = loadConfig(textOf(file), file);
  new HoldfastStack(app, context.stack, {
    stackName: context.stack,
    input: { resolved: resolveStack(config), deployed: deployConfig(config, context.stack) },
    code: codeOf(context, context.functions ?? (await bundledFunctions())),
    architecture: context.architecture,
    terminationProtection: context.terminationProtection,
  });
  if (context.nag) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('not-found', `The configuration ${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)}).`, { nextStep: 'Name it with -c config=PATH; examples/aws/holdfast.yaml is one to begin with.', cause });
  }
}

async function bundledFunctions(): Promise<string> {
  const { buildFunctions } = (await import(new URL('../scripts/build-functions.mjs', import.meta.url).href)) as { buildFunctions: (out: string) => Promise<unknown> };
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-functions-'));
  // When this process ends they have been copied into the assembly.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  await buildFunctions(folder);
  return folder;
}
