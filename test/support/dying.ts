/** The process is gone; nothing may catch this and go on. */
export class Died extends Error {
  override readonly name = 'Died';
}

/**
 * Counts what a process does to the world outside and lets it die: `before` the step with that number is done, or
 * `after` it, when its answer is never seen.
 */
export class Life {
  readonly steps: string[] = [];
  readonly #death: { readonly at: number; readonly when: 'before' | 'after' } | undefined;
  isDead = false;

  constructor(death?: { readonly at: number; readonly when: 'before' | 'after' }) {
    this.#death = death;
  }

  /** The same object; every call of one of its methods is a step. */
  watch<T extends object>(name: string, target: T): T {
    return new Proxy(target, {
      get: (object, property) => {
        const value: unknown = Reflect.get(object, property);
        return typeof value === 'function' ? (...values: unknown[]) => this.#step(`${name}.${String(property)}`, () => value.apply(object, values)) : value;
      },
    });
  }

  async #step(name: string, act: () => unknown): Promise<unknown> {
    const at = this.steps.push(name) - 1;
    if (this.isDead || (this.#death?.when === 'before' && this.#death.at === at)) this.#die(name);
    const answer = await act();
    if (this.#death?.when === 'after' && this.#death.at === at) this.#die(name);
    return answer;
  }

  #die(name: string): never {
    this.isDead = true;
    throw new Died(name);
  }
}
