import { readFile } from 'node:fs/promises';
import { kmsClient, s3Client } from '../../lib/aws/clients.ts';
import { functionHandler, lazily, parseEvent } from '../../lib/aws/function-context.ts';
import type { FunctionContext } from '../../lib/aws/function-context.ts';
import { stackStore } from '../../lib/aws/stack-vault.ts';
import { keepKit } from '../../lib/recovery/kit.ts';
import type { Kit } from '../../lib/recovery/kit.ts';
import { toWorkflowFailure } from '../../lib/recovery/workflow/failure-text.ts';
import { readVaultInitSettings } from '../../lib/settings/vault-init.ts';
import type { RecipientsOfVaults } from '../../lib/settings/vault-init.ts';
import { answerResource, resourceEvent } from './custom-resource.ts';
import type { ResourceAnswer, ResourceEvent } from './custom-resource.ts';
import { initVault } from './init-vault.ts';
import { onceRightsArrive } from './once-rights-arrive.ts';

const clients = { s3: lazily(() => s3Client()), kms: lazily(() => kmsClient()) };

/** CloudFormation asks for the vaults of a stack. Deleting keeps everything: a vault outlives its stack. */
export const handler = functionHandler('vault-init', async (event, context): Promise<void> => {
  const asked = parseEvent(resourceEvent, event, 'a request of CloudFormation for a custom resource');
  const answer = await answerTo(asked, context);
  // A new physical id would make CloudFormation delete the old one, and there is nothing to delete.
  await answerResource(asked, asked.PhysicalResourceId ?? `holdfast-vaults-${asked.LogicalResourceId}`, answer, { fetch, sleep: (milliseconds) => context.clock.sleep(milliseconds) });
});

async function answerTo(asked: ResourceEvent, context: FunctionContext): Promise<ResourceAnswer> {
  if (asked.RequestType === 'Delete') return { Status: 'SUCCESS', Data: {} };
  try {
    return { Status: 'SUCCESS', Data: await initVaults(context, asked.ResourceProperties?.Recipients ?? {}) };
  } catch (error) {
    const { cause } = toWorkflowFailure(error);
    context.log.error({ event: 'failed', request: asked.RequestType }, cause);
    return { Status: 'FAILED', Reason: cause };
  }
}

/** Name of the vault → id of its repository. */
async function initVaults({ environment, clock, log }: FunctionContext, recipients: RecipientsOfVaults): Promise<Record<string, string>> {
  const { vaults } = readVaultInitSettings(environment);
  const repositories: Record<string, string> = {};
  const kit = await readKit();
  for (const [name, place] of Object.entries(vaults)) {
    const store = stackStore(place, { s3: clients.s3(), clock });
    const ports = { store, kms: clients.kms(), keyArn: place.keyArn, recipients: recipients[name] ?? [] };
    const { repository, isNew, added } = await onceRightsArrive(() => initVault(ports), clock);
    const isKitNew = await onceRightsArrive(() => keepKit(store, kit), clock);
    repositories[name] = repository;
    log.info({ event: isNew ? 'made' : 'found', vault: name, bucket: place.bucket, repository, isKitNew }, `vault ${name}: ${isNew ? 'made' : 'found'}${added === 0 ? '' : `, ${added} slots for recipients added`}`);
  }
  return repositories;
}

/** The build lays it beside this bundle. */
async function readKit(): Promise<Kit> {
  const [script, page] = await Promise.all(['kit.mjs', 'kit-README.txt'].map((file) => readFile(new URL(file, import.meta.url))));
  return { script: script as Uint8Array, page: page as Uint8Array };
}
