const PAUSE_MS = 250;

/** Asks until there is an answer; after the deadline fails with what `explain` has to say. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined | false>, { withinMs, explain = async () => '' }: { readonly withinMs: number; readonly explain?: () => Promise<string> }): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${withinMs / 1000} s in vain for ${what}\n${await explain()}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
