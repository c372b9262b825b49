/** A test that builds on those before it in the file: once one has failed, the rest fail at once and say why. */
export function step(title: string, body: () => Promise<void>): void {
  test(title, async () => {
    if (broken !== undefined) throw new Error(`not tried: this step builds on "${broken}", which failed`);
    try {
      await body();
    } catch (error) {
      broken = title;
      throw error;
    }
  }, STEP_LIMIT_MS);
}

const STEP_LIMIT_MS = 240_000;
let broken: string | undefined;
