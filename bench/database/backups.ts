import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fill } from '../command-line.ts';
import { Cluster, folderOfPostgres } from './cluster.ts';
import type { Desk, Seat } from './desk.ts';
import { change } from './rows.ts';
import type { LogicalTool, PhysicalTool } from './tools.ts';

/**
 * All tools keep the same state, then 1 % of the rows change, all keep that, and each brings it back, one after another: what
 * comes back is compared with the rows of the server.
 */
export async function measureLogical(desk: Desk, tools: readonly LogicalTool[], cluster: Cluster): Promise<void> {
  for (let turn = 0; turn < desk.turns; turn++) {
    const seats = await desk.seats(tools, turn, cluster);
    for (const seat of seats) await desk.step(seat, 'backup, first', seat.tool.first);
    change(cluster, turn);
    for (const seat of seats) await desk.step(seat, 'backup, 1 % changed', seat.tool.second);
    const wanted = cluster.digests('bench');
    for (const seat of seats) {
      await desk.step(seat, 'restore', seat.tool.restore);
      refuseOther(seat, cluster.digests('restored'), wanted);
      cluster.sql('drop database restored', 'postgres');
      cluster.sql('checkpoint');
    }
    for (const seat of seats) seat.remove();
  }
}

/** As above; a server is started on what was restored, and asked for its rows. */
export async function measurePhysical(desk: Desk, tools: readonly PhysicalTool[], cluster: Cluster): Promise<void> {
  const backup = async (seat: Seat<PhysicalTool>, step: string, command: string): Promise<void> => {
    archiveWith(cluster, fill(seat.tool.archiveCommand ?? 'true', seat.places));
    cluster.sql('checkpoint');
    await desk.step(seat, step, command);
    archiveWith(cluster, 'true');
  };
  for (let turn = 0; turn < desk.turns; turn++) {
    const seats = await desk.seats(tools, turn, cluster);
    for (const seat of seats) await backup(seat, 'backup, first', seat.tool.first);
    change(cluster, turn);
    for (const seat of seats) await backup(seat, 'backup, 1 % changed', seat.tool.second);
    const wanted = cluster.digests('bench');
    for (const seat of seats) {
      await desk.step(seat, 'restore', seat.tool.restore);
      refuseOther(seat, digestsOfRestored(desk, seat, cluster.port + 1), wanted);
      seat.remove();
    }
  }
}

function digestsOfRestored(desk: Desk, { places }: Seat<PhysicalTool>, port: number): string {
  const restored = new Cluster({ data: places.out, socket: folderOfPostgres(join(desk.work, 'restored-socket')), port });
  try {
    restored.start(['archive_mode=off', 'shared_buffers=128MB']);
    return restored.digests('bench');
  } finally {
    restored.stop();
    rmSync(places.out, { recursive: true });
  }
}

function archiveWith(cluster: Cluster, command: string): void {
  cluster.sql(`alter system set archive_command = '${command.replaceAll("'", "''")}'`);
  cluster.sql('select pg_reload_conf()');
}

function refuseOther({ tool }: Seat<LogicalTool>, found: string, wanted: string): void {
  if (found !== wanted) throw new Error(`${tool.name} did not give back what it was given:\n${found}\nwanted:\n${wanted}`);
}
