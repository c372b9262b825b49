import { fromText } from '../../lib/model/byte-string.ts';
import { withOutlook } from '../../lib/validation/healing-outlook.ts';
import type { OpenedBackup } from '../../lib/validation/open-backups.ts';
import type { DamagedObject } from '../../lib/validation/verify.ts';
import { VaultListing } from '../../lib/validation/vault-listing.ts';

const PACK = `packs/hot/data/${'ab'.repeat(16)}`;
const ENDS = '; `holdfast repair packs --dry-run` says what other packs of the vault hold; a copy of the vault heals everything';

const backup = (plan: string, type: string, storedAt: number) => ({ snapshot: { name: `snapshots/${plan}/01`, size: 1, storedAt }, manifest: { plan, planName: plan, source: { type } }, isVoid: false }) as unknown as OpenedBackup;

function damage(plans: readonly string[], entries = 1): DamagedObject {
  return { name: PACK, kind: 'pack', problems: [], problemCount: 0, lost: '', touched: plans.map((plan) => ({ snapshot: `snapshots/${plan}/01`, entries, examples: [fromText('a')], ranges: [] })) };
}

/** What `verify` hopes for; `later` backups of these plans were stored after the damage was noted. */
async function outlook(object: DamagedObject, backups: readonly OpenedBackup[], later: readonly string[] = []): Promise<string | undefined> {
  const objects = [...backups.map(({ snapshot }) => snapshot), { name: `damaged/${'ab'.repeat(16)}`, size: 1, storedAt: 100 }, ...later.map((plan) => ({ name: `snapshots/${plan}/02`, size: 1, storedAt: 101 }))];
  const listing = await VaultListing.read({ list: async function* (prefix: string) { yield* objects.filter(({ name }) => name.startsWith(prefix)); } });
  return withOutlook([object], backups, listing)[0]?.outlook;
}

describe('what could heal a damaged pack (V1)', () => {
  it.each<[string, DamagedObject, OpenedBackup[], string[], string | undefined]>([
    ['of a tree: its source, as far as it still has it', damage(['docs']), [backup('docs', 'files', 1)], [], `a backup of docs heals it as far as the source still has this data as it was${ENDS}`],
    ['of a dump: hardly the next dump', damage(['shop']), [backup('shop', 'postgres', 1)], [], `a backup of shop only as far as the new stream has the same data in it${ENDS}`],
    ['that was tried since: that it did not help', damage(['docs']), [backup('docs', 'files', 1)], ['docs'], `a backup of docs, made since this was noted, did not heal it: another one will only if the source has this data again${ENDS}`],
    ['of several plans: each by its own', damage(['docs', 'shop', 'mail']), [backup('docs', 'files', 1), backup('shop', 'command', 1), backup('mail', 'files', 1)], ['mail'], `a backup of docs heals it as far as the source still has this data as it was; a backup of shop only as far as the new stream has the same data in it; a backup of mail, made since this was noted, did not heal it: another one will only if the source has this data again${ENDS}`],
    ['of many plans: counted', damage(['a', 'b', 'c', 'd']), ['a', 'b', 'c', 'd'].map((plan) => backup(plan, 'files', 1)), [], `a backup of 4 plans heals it as far as the source still has this data as it was${ENDS}`],
    ['with which nothing is lost: nothing', damage(['docs'], 0), [backup('docs', 'files', 1)], [], undefined],
  ])('%s', async (_what, object, backups, later, words) => {
    expect(await outlook(object, backups, later)).toBe(words);
  });
});
