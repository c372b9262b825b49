import { HoldfastError } from '../model/errors.ts';
import type { ObjectInfo, Store } from '../stores/store.ts';
import { CONFIG_NAME } from '../repository/index.ts';

const FOLDERS = ['keys', 'packs', 'index', 'snapshots', 'refs', 'partial', 'verdicts', 'removed', 'coverage', 'damaged', 'condemned', 'kit', 'wal', 'wal-kept'] as const;
export type Folder = (typeof FOLDERS)[number];

/**
 * Everything in the vault. Snapshots are listed before everything else: what they need was stored before them, so a
 * backup that ends meanwhile is never seen without its packs (format §10).
 */
export class VaultListing {
  readonly objects = new Map<string, ObjectInfo>();
  readonly strays: string[] = [];
  readonly #folders = new Map<string, ObjectInfo[]>(FOLDERS.map((folder) => [folder, []]));

  #refs: Map<string, string[]> | undefined;

  static async read(store: Pick<Store, 'list'>): Promise<VaultListing> {
    const listing = new VaultListing();
    for await (const object of store.list('snapshots/')) listing.#add(object);
    for await (const object of store.list('')) if (!object.name.startsWith('snapshots/')) listing.#add(object);
    return listing;
  }

  in(folder: Folder): readonly ObjectInfo[] {
    return this.#folders.get(folder) ?? [];
  }

  /** All revisions of one backup's refs. */
  refsOf(plan: string, backup: string): readonly string[] {
    this.#refs ??= Map.groupBy(this.in('refs').map(({ name }) => name), (name) => name.slice(0, name.lastIndexOf('.')));
    return this.#refs.get(`refs/${plan}/${backup}`) ?? [];
  }

  below(folder: Folder, prefix: string): ObjectInfo[] {
    return this.in(folder).filter(({ name }) => name.startsWith(prefix));
  }

  has(name: string): boolean {
    return this.objects.has(name);
  }

  /** The snapshots that were asked for, or all. */
  snapshots(wanted: readonly string[] | undefined): readonly ObjectInfo[] {
    if (!wanted) return this.in('snapshots');
    return wanted.map((name) => {
      const object = this.objects.get(name);
      if (object && name.startsWith('snapshots/')) return object;
      throw new HoldfastError('not-found', `The vault holds no snapshot ${name}.`, { nextStep: '`holdfast list` shows the backups that are there.' });
    });
  }

  #add(object: ObjectInfo): void {
    this.objects.set(object.name, object);
    const folder = this.#folders.get(object.name.slice(0, object.name.indexOf('/')));
    if (folder) folder.push(object);
    else if (object.name !== CONFIG_NAME) this.strays.push(object.name);
  }
}
