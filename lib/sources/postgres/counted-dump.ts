import type { OpenStream, StreamProof, StreamSeen } from '../source.ts';
import { openCheckedDump } from './checked-dump.ts';
import type { DumpOrder } from './checked-dump.ts';
import { countsInWords, databaseFacts, reasonOf } from './row-counts.ts';
import type { DatabaseFacts, RowCounts } from './row-counts.ts';
import { SnapshotSession } from './snapshot-session.ts';

export interface CountedDumpOrder extends DumpOrder {
  readonly rowCounts: RowCounts;
}

/** A checked dump of a snapshot in which the rows of its tables are counted meanwhile. */
export async function openCountedDump(order: CountedDumpOrder, signal: AbortSignal): Promise<OpenStream> {
  if (order.rowCounts === 'none' || order.content === 'schema') return openCheckedDump(order, signal);
  const { rowCounts } = order;
  const snapshot = await SnapshotSession.open({ ...order, signal: undefined }, { ...order, signal }).catch(async (error: unknown) => {
    await order.opened.remove();
    throw error;
  });
  try {
    const dump = await openCheckedDump({ ...order, snapshot: snapshot.id }, signal);
    return countedDump(dump, snapshot, databaseFacts(snapshot, rowCounts));
  } catch (error) {
    await snapshot.close();
    throw error;
  }
}

function countedDump(dump: OpenStream, snapshot: SnapshotSession, facts: Promise<DatabaseFacts>): OpenStream {
  facts.catch(() => undefined); // Told when the dump has ended, whose own reason comes first.
  return {
    fd: dump.fd,
    async finish(seen: StreamSeen): Promise<StreamProof> {
      const proof = await dump.finish(seen).catch(async (error: unknown) => { throw await reasonOf(error, facts); });
      const { tables, versions } = await facts;
      return { ...proof, evidence: [...proof.evidence, countsInWords(tables)], tables, versions };
    },
    async close(): Promise<void> {
      await dump.close();
      await snapshot.close();
    },
  };
}
