import { chownSync, cpSync, existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { digestOf } from '../restored.ts';
import { folderOfPostgres } from './cluster.ts';
import type { Cluster } from './cluster.ts';
import type { Desk } from './desk.ts';
import { writeWal } from './rows.ts';
import type { WalTool } from './tools.ts';

/** As PostgreSQL's archiver does: one call for each file that is ready, the oldest first, each through a shell. */
const ARCHIVER = `cd '{data}' && for ready in pg_wal/archive_status/*.ready; do
  name=\${ready##*/} name=\${name%.ready} call=\${CALL//%p/pg_wal/$name}
  sh -c "\${call//%f/$name}" || exit 1
  mv "$ready" "pg_wal/archive_status/$name.done"
done`;

/** As a server in recovery: into one name, from which it is renamed. */
const RECOVERY = `cd '{data}' && while read -r name; do
  call=\${CALL//%p/pg_wal/RECOVERYXLOG}
  sh -c "\${call//%f/$name}" </dev/null || exit 1
  mv pg_wal/RECOVERYXLOG "pg_wal/$name"
done < '{home}/names'`;

/** What was fetched takes the place of what was archived, when its digests are the same: the next tool archives that. */
export async function measureWal(desk: Desk, tools: readonly WalTool[], cluster: Cluster, segments: number): Promise<void> {
  const queue = makeQueue(desk, cluster, segments);
  for (let turn = 0; turn < desk.turns; turn++) {
    for (const seat of await desk.seats(tools, turn, cluster, queue.data)) {
      queue.makeReady();
      await desk.step(seat, `archive ${segments}`, ARCHIVER, { CALL: seat.tool.archive });
      queue.empty();
      writeFileSync(join(seat.places.home, 'names'), `${queue.names.join('\n')}\n`);
      await desk.step(seat, `fetch ${segments}`, RECOVERY, { CALL: seat.tool.fetch });
      const wrong = queue.firstWrong();
      if (wrong !== undefined) throw new Error(`${seat.tool.name} did not give back ${wrong}`);
      seat.remove();
    }
  }
  rmSync(queue.data, { recursive: true });
}

/** A data directory with nothing in it but what says whose it is, and WAL that waits for its archiver. */
class Queue {
  readonly data: string;
  readonly names: readonly string[];
  readonly #digests: ReadonlyMap<string, string>;

  constructor(data: string) {
    this.data = data;
    this.names = this.#found();
    this.#digests = new Map(this.names.map((name) => [name, digestOf(join(this.#wal, name))]));
  }

  get #wal(): string {
    return join(this.data, 'pg_wal');
  }

  #found(): string[] {
    return readdirSync(this.#wal).filter((name) => /^[0-9A-F]{24}$/.test(name)).sort();
  }

  makeReady(): void {
    rmSync(join(this.#wal, 'archive_status'), { recursive: true, force: true });
    folderOfPostgres(join(this.#wal, 'archive_status'));
    for (const name of this.names) writeFileSync(join(this.#wal, 'archive_status', `${name}.ready`), '');
  }

  empty(): void {
    const left = readdirSync(join(this.#wal, 'archive_status')).filter((name) => !name.endsWith('.done'));
    if (left.length > 0) throw new Error(`${left.length} files were not archived, ${left[0]} the first`);
    for (const name of this.names) rmSync(join(this.#wal, name));
  }

  firstWrong(): string | undefined {
    return this.names.find((name) => !existsSync(join(this.#wal, name)) || digestOf(join(this.#wal, name)) !== this.#digests.get(name));
  }
}

function makeQueue(desk: Desk, cluster: Cluster, segments: number): Queue {
  const wal = join(cluster.data, 'pg_wal');
  const ready = () => readdirSync(join(wal, 'archive_status')).filter((name) => name.endsWith('.ready')).map((name) => name.slice(0, -'.ready'.length)).sort();
  writeWal(cluster, () => ready().length >= segments);
  // Not a moment later: a server without archive_mode takes files that nobody archived for its own.
  cluster.stop();
  const data = folderOfPostgres(join(desk.work, 'queue'));
  for (const folder of ['global', 'pg_wal']) folderOfPostgres(join(data, folder));
  for (const name of ['PG_VERSION', 'global/pg_control']) handOver(join(cluster.data, name), join(data, name));
  for (const [index, name] of ready().entries()) {
    if (index < segments) renameSync(join(wal, name), join(data, 'pg_wal', name));
    else rmSync(join(wal, name));
    rmSync(join(wal, 'archive_status', `${name}.ready`));
  }
  cluster.start([]);
  return new Queue(data);
}

function handOver(from: string, to: string): void {
  cpSync(from, to);
  const { uid, gid } = statSync(from);
  chownSync(to, uid, gid);
}
