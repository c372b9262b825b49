import { slotName } from '../../keyring/key-slot.ts';
import type { KeySlot } from '../../keyring/key-slot.ts';
import { listSlots } from '../../keyring/open-slots.ts';
import { shownFingerprint } from '../../keyring/recipient/public-half.ts';
import { display, fromText } from '../../model/byte-string.ts';
import type { Store } from '../../stores/store.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { tableLines } from '../table.ts';
import { timeInWords } from '../words.ts';

const COLUMNS = [{ head: 'SLOT' }, { head: 'KEY', align: 'right' }, { head: 'KIND' }, { head: 'LABEL' }, { head: 'OPENS' }, { head: 'STORED' }, { head: 'KEY IN USE' }] as const;

export async function run(context: CommandContext): Promise<ExitCode> {
  const { output } = context;
  return withVault(context, async ({ repository, opened }) => {
    const { slots, problems } = await listSlots(repository.store, repository.config.repository);
    const times = await storedTimes(repository.store);
    const inUse = new Set(opened.map(slotName));
    const rows = slots.map((slot) => ({ ...facts(slot), storedAt: times.get(slotName(slot)), isInUse: inUse.has(slotName(slot)) }));
    if (output.isJson) for (const row of rows) output.result({ type: 'key-slot', ...row, storedAt: row.storedAt === undefined ? null : new Date(row.storedAt).toISOString() }, () => []);
    else output.result({}, () => tableLines(COLUMNS, rows.map(cells), (head) => output.paint('dim', head)));
    return problems.length > 0 ? 3 : 0;
  });
}

/** By the clock of the store: who wrote a slot could have said anything. */
async function storedTimes(store: Pick<Store, 'list'>): Promise<Map<string, number>> {
  const times = new Map<string, number>();
  for await (const { name, storedAt } of store.list('keys/')) times.set(name, storedAt);
  return times;
}

function facts({ slot, keyNumber, kind, label, kdf, wrapped }: KeySlot) {
  return { slot, keyNumber, kind, label, opens: wrapped.data === undefined ? 'metadata' : 'everything', ...(kdf?.name === 'x-wing' && { fingerprint: shownFingerprint(kdf.recipient) }) };
}

function cells({ slot, keyNumber, kind, label, fingerprint, opens, storedAt, isInUse }: ReturnType<typeof facts> & { readonly storedAt: number | undefined; readonly isInUse: boolean }): string[] {
  const name = display(fromText(label)) + (fingerprint === undefined ? '' : ` (${fingerprint})`);
  return [slot, String(keyNumber), kind, name, opens, storedAt === undefined ? '' : timeInWords(storedAt), isInUse ? 'in use' : ''];
}
