import type { PlanId, WriterId } from '../../lib/model/ids.ts';
import { names } from '../../lib/repository/index.ts';
import type { Repository } from '../../lib/repository/index.ts';
import { BackupRun } from '../simulation/backup-run.ts';
import { SeededRandom } from '../simulation/dice.ts';
import { Oracle } from '../simulation/oracle.ts';
import { PackShelf } from '../simulation/pack-shelf.ts';

export const SMALL_PLAN = 'a'.repeat(32) as PlanId;
const WRITER = { id: '1'.repeat(32) as WriterId, host: 'host' };

/** Makes real backups of a few words with the product's session, one after the other; answers their ids. */
export class SmallBackups {
  readonly #repository: Repository;
  readonly #dice = new SeededRandom('small backups');
  readonly #packs: PackShelf;

  constructor(repository: Repository) {
    this.#repository = repository;
    this.#packs = new PackShelf(repository);
  }

  async make(contents: readonly string[], repository = this.#repository): Promise<string> {
    const settings = { plan: SMALL_PLAN, writer: WRITER, contents, clientNow: 1_700_000_000_000, isStream: false };
    return BackupRun.execute(repository, settings, { dice: this.#dice, oracle: new Oracle(), packs: this.#packs });
  }

  snapshot(backup: string): string {
    return names.snapshot(SMALL_PLAN, backup);
  }
}
