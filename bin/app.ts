import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { App, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { loadConfig } from '../lib/config/load-config.ts';
import { resolveStack } from '../lib/config/resolve-stack.ts';
import type { ResolvedStack } from '../lib/config/resolved-aws.ts';
import { parseRecipient, recipientLine } from '../lib/keyring/recipient/public-half.ts';
import { HoldfastError, isHoldfastError } from '../lib/model/errors.ts';
import { deployConfig } from '../lib/settings/deploy-config.ts';
import type { DeployedRecipient } from '../lib/settings/deployed.ts';
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
  const resolved = resolveStack(config);
  new HoldfastStack(app, context.stack, {
    stackName: context.stack,
    input: { resolved, deployed: deployConfig(config, context.stack, recipientsOf(resolved)) },
    code: codeOf(context, context.functions ?? (await bundledFunctions())),
    architecture: context.architecture,
    terminationProtection: context.terminationProtection,
  });
  if (context.nag) Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}

/** Read and tried now: a public half that was altered fails here, and not in the middle of a deploy. */
function recipientsOf({ vaults }: ResolvedStack): Record<string, DeployedRecipient[]> {
  return Object.fromEntries(vaults.flatMap(({ name, recipients = [] }) => (recipients.length === 0 ? [] : [[name, recipients.map(recipientIn)]])));
}

function recipientIn(file: string): DeployedRecipient {
  const { label, publicKey } = parseRecipient(textOf(file, 'recipient'), file, basename(file));
  return { label, text: recipientLine(publicKey) };
}

function textOf(file: string, what = 'configuration'): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('not-found', `The ${what} ${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)}).`, { nextStep: what === 'recipient' ? 'Correct `recipients` in the configuration: files that `holdfast keys make-recipient` made.' : 'Name it with -c config=PATH; examples/aws/holdfast.yaml is one to begin with.', cause });
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
