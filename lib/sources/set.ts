import { display } from '../model/byte-string.ts';
import type { ByteString } from '../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../model/errors.ts';
import type { SourcePart, SourceSet, Standstill } from './source.ts';

export interface SetOptions {
  readonly parts: readonly SourcePart[];
  /** With a look whether it can work. */
  readonly standstill?: (Standstill & { check(): Promise<void> }) | undefined;
}

/** Several sources as one (P4). All of them are checked, so that whoever mends one thing knows of the others. */
export function sourceSet({ parts, standstill }: SetOptions): SourceSet {
  return {
    shape: 'set',
    type: 'set',
    description: parts.map(({ name, source }) => `${display(name)} (${source.type}: ${source.description})`).join(', '),
    parts,
    standstill,
    check: async () => {
      const failures: HoldfastError[] = [];
      const note = (error: unknown) => {
        if (!isHoldfastError(error)) throw error;
        failures.push(error);
      };
      for (const { name, source } of parts) await inPart(name, () => source.check()).catch(note);
      await standstill?.check().catch(note);
      if (failures.length > 0) throw together(failures);
    },
  };
}

/** What fails in a part says in which one, with code and advice as they were; a stop is nobody's fault. */
export async function inPart<T>(name: ByteString, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isHoldfastError(error) || error.code === 'interrupted') throw error;
    const { code, message, nextStep, data, retryable } = error;
    throw new HoldfastError(code, `Part ${display(name)}: ${message}`, { ...(nextStep !== undefined && { nextStep }), data, retryable, cause: error });
  }
}

function together(failures: readonly HoldfastError[]): HoldfastError {
  const [first, ...others] = failures as [HoldfastError, ...HoldfastError[]];
  if (others.length === 0) return first;
  const steps = failures.map(({ message, nextStep }, index) => (index === 0 ? nextStep : `${message}${nextStep === undefined ? '' : ` ${nextStep}`}`)).filter((step) => step !== undefined);
  return new HoldfastError(first.code, first.message, { nextStep: steps.join('\n'), data: first.data, retryable: first.retryable, cause: first });
}
