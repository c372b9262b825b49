import { dynamoClient, s3Client } from '../../lib/aws/clients.ts';
import { readDeployedConfig } from '../../lib/aws/deployed-config.ts';
import { functionHandler, lazily, parseEvent } from '../../lib/aws/function-context.ts';
import { openCatalog } from '../../lib/aws/open-catalog.ts';
import { stackStore } from '../../lib/aws/stack-vault.ts';
import { isHoldfastError } from '../../lib/model/errors.ts';
import { checkRestore } from '../../lib/recovery/workflow/check-restore.ts';
import { checkInput } from '../../lib/recovery/workflow/states.ts';
import type { Checked } from '../../lib/recovery/workflow/states.ts';
import { names } from '../../lib/repository/index.ts';
import { restoreFamily } from '../../lib/settings/ids.ts';
import { readRestoreStepsSettings } from '../../lib/settings/restore-steps.ts';
import type { Store } from '../../lib/stores/store.ts';

const clients = { dynamo: lazily(() => dynamoClient()), s3: lazily(() => s3Client()) };

/** First state of a restore: decides from what was deployed whether and how it may go on. */
export const handler = functionHandler('restore-check', async (event, { environment, clock, log }): Promise<Checked> => {
  const settings = readRestoreStepsSettings(environment);
  const { execution, input } = parseEvent(checkInput, event, 'the input of the check state');
  const { config } = await readDeployedConfig(clients.s3(), settings.configUrl);
  const stores = Object.entries(settings.vaults).map(([name, place]) => [name, stackStore(place, { s3: clients.s3(), clock })] as const);
  const checked = await checkRestore({ execution, input }, {
    catalog: openCatalog(clients.dynamo(), settings.table),
    targets: config.restoreTargets,
    networks: settings.networks,
    familyOf: (target) => restoreFamily(settings.stackName, target),
    vaultOf: ({ planId, backupId }) => vaultWith(names.snapshot(planId, backupId), stores),
    now: () => clock.now(),
  });
  log.info({ event: 'checked', restore: checked.restoreId, backup: checked.backupId, plan: checked.planName, target: checked.targetName, vault: checked.vault }, 'restore checked');
  return checked;
});

/** Truth lies in the vaults: the one that has the snapshot is the one to read. */
async function vaultWith(snapshot: string, stores: readonly (readonly [name: string, store: Pick<Store, 'stat'>])[]): Promise<string | undefined> {
  for (const [name, store] of stores) {
    const isThere = await store.stat(snapshot).then(() => true, (error: unknown) => {
      if (isHoldfastError(error, 'not-found')) return false;
      throw error;
    });
    if (isThere) return name;
  }
  return undefined;
}
