import { display, fromText } from '../../model/byte-string.ts';
import { shownFingerprint } from '../../keyring/recipient/public-half.ts';
import { listSlots } from '../../keyring/open-slots.ts';
import type { CommandContext } from '../command.ts';
import { withVault } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import { tableLines } from '../table.ts';

export async function run(context: CommandContext): Promise<ExitCode> {
  const { output } = context;
  return withVault(context, async ({ repository }) => {
    const { slots, problems } = await listSlots(repository.store, repository.config.repository);
    const rows = slots.map(({ slot, keyNumber, kind, label, kdf, wrapped }) => ({ slot, keyNumber, kind, label, opens: wrapped.data === undefined ? 'metadata' : 'everything', ...(kdf?.name === 'x-wing' && { fingerprint: shownFingerprint(kdf.recipient) }) }));
    if (output.isJson) for (const row of rows) output.result({ type: 'key-slot', ...row }, () => []);
    else output.result({}, () => tableLines([{ head: 'SLOT' }, { head: 'KEY', align: 'right' }, { head: 'KIND' }, { head: 'LABEL' }, { head: 'OPENS' }], rows.map((row) => [row.slot, String(row.keyNumber), row.kind, display(fromText(row.label)) + (row.fingerprint === undefined ? '' : ` (${row.fingerprint})`), row.opens]), (head) => output.paint('dim', head)));
    return problems.length > 0 ? 3 : 0;
  });
}
