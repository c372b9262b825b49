import { s3Client } from '../../lib/aws/clients.ts';
import { functionHandler, lazily, parseEvent } from '../../lib/aws/function-context.ts';
import { placeOf, stackStore } from '../../lib/aws/stack-vault.ts';
import { HoldfastError } from '../../lib/model/errors.ts';
import { thawInput } from '../../lib/recovery/workflow/states.ts';
import type { Thawed, ThawInput } from '../../lib/recovery/workflow/states.ts';
import { thawRestore } from '../../lib/recovery/workflow/thaw-restore.ts';
import { decodeRefs } from '../../lib/repository/index.ts';
import { readRestoreStepsSettings } from '../../lib/settings/restore-steps.ts';
import type { Store } from '../../lib/stores/store.ts';

const s3 = lazily(() => s3Client());

/** Says whether everything that the restore needs can be read; asked again until it can. */
export const handler = functionHandler('restore-thaw', async (event, { environment, clock, log }): Promise<Thawed> => {
  const settings = readRestoreStepsSettings(environment);
  const input = parseEvent(thawInput, event, 'what the check state answered');
  const thawed = await thawRestore(input, {
    packsOf: (backup) => packsIn(stackStore(placeOf(backup.vault, settings.vaults), { s3: s3(), clock }), backup),
  });
  log.info({ event: 'thawed', restore: input.restoreId, ...thawed }, thawed.isDone ? 'everything can be read' : 'waiting for the store');
  return thawed;
});

/** The newest list of packs; whether it is genuine is asked by the restore itself, which has the keys. */
async function packsIn(store: Pick<Store, 'list' | 'get'>, { planId, backupId }: Pick<ThawInput, 'planId' | 'backupId'>): Promise<readonly string[]> {
  const prefix = `refs/${planId}/${backupId}.`;
  let newest = -1;
  for await (const { name } of store.list(`refs/${planId}/`)) if (name.startsWith(prefix)) newest = Math.max(newest, Number(name.slice(prefix.length)));
  if (newest < 0) throw new HoldfastError('damaged', `The refs of backup ${backupId} are missing: nothing says which packs it needs.`, { nextStep: 'Take another backup; `holdfast verify` says what is damaged.' });
  const name = `${prefix}${newest}`;
  return decodeRefs(await store.get(name), name).packs.map((pack) => pack.name);
}
