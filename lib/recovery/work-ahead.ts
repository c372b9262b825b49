/**
 * Works on several items at once, at most `atOnce`, and hands the results out in the order of the items: work runs ahead of
 * whoever takes them. The first failure in that order is thrown; what was begun behind it comes to its own end unheard.
 */
export async function* workAhead<T, R>(items: Iterable<T>, atOnce: number, work: (item: T) => Promise<R>): AsyncGenerator<R> {
  const begun: Promise<R>[] = [];
  for (const item of items) {
    const result = work(item);
    // It is awaited in its turn; until then a failure must not count as unhandled.
    result.catch(() => undefined);
    begun.push(result);
    if (begun.length >= atOnce) yield await (begun.shift() as Promise<R>);
  }
  for (const result of begun) yield await result;
}
