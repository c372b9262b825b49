/** Does something again and again, with the numbers from 0 on, until it is stopped; `stop` answers how often. */
export function repeating(work: (nr: number) => Promise<unknown>): { stop(): Promise<number> } {
  let isStopped = false;
  const working = (async () => {
    let nr = 0;
    for (; !isStopped; nr++) await work(nr);
    return nr;
  })();
  return {
    stop: () => {
      isStopped = true;
      return working;
    },
  };
}
