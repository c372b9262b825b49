const MAX_ATTEMPTS = 3000;
/** Inputs that take long are the ones that find much: nobody waits an hour for the last byte, nor does the watcher. */
const MAX_MILLISECONDS = 30_000;

/** The shortest and plainest input found that is still wrong: pieces are left out, then bytes become zero. */
export async function shrinkInput(input: Uint8Array, isWrong: (candidate: Uint8Array) => Promise<boolean>): Promise<Uint8Array> {
  let best = input;
  let attempts = 0;
  const end = Date.now() + MAX_MILLISECONDS;
  const attempt = async (candidate: Uint8Array): Promise<boolean> => {
    if (attempts++ >= MAX_ATTEMPTS || Date.now() > end || !(await isWrong(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let size = Math.ceil(best.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = best.length - size; at >= 0; at -= size) await attempt(Buffer.concat([best.subarray(0, at), best.subarray(at + size)]));
  }
  for (let at = 0; at < best.length && attempts < MAX_ATTEMPTS; at++) {
    if (best[at] === 0 || best[at] === 0x20) continue;
    const plainer = Uint8Array.from(best);
    plainer[at] = 0;
    await attempt(plainer);
  }
  return best;
}
