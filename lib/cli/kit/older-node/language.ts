/**
 * What the code uses of the language's library and a Node from 18 on may lack (Node 20: toSorted; 21: groupBy; 22:
 * fromAsync). Called before anything else; what is there stays.
 */
export function completeLanguage(owner: Pick<typeof globalThis, 'Array' | 'Map'> = globalThis): void {
  add(owner.Array.prototype, 'toSorted', function toSorted<T>(this: readonly T[], compare?: (left: T, right: T) => number): T[] {
    return [...this].sort(compare);
  });
  add(owner.Map, 'groupBy', <T, K>(items: Iterable<T>, keyOf: (item: T, index: number) => K): Map<K, T[]> => {
    const groups = new owner.Map<K, T[]>();
    let index = 0;
    for (const item of items) {
      const key = keyOf(item, index++);
      const group = groups.get(key);
      if (group) group.push(item);
      else groups.set(key, [item]);
    }
    return groups;
  });
  add(owner.Array, 'fromAsync', async <T>(items: AsyncIterable<T> | Iterable<T>): Promise<T[]> => {
    const all: T[] = [];
    for await (const item of items) all.push(item);
    return all;
  });
}

function add(owner: object, name: string, value: unknown): void {
  if (!(name in owner)) Object.defineProperty(owner, name, { value, configurable: true, writable: true });
}
