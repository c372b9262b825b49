import type { $Command, S3Client, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes } from '@aws-sdk/client-s3';
import { HoldfastError } from '../../model/errors.ts';
import { interruption } from '../interruption.ts';
import { Slots } from '../slots.ts';
import { s3Error } from './s3-error.ts';

export type S3Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = $Command<I, O, S3ClientResolvedConfig, ServiceInputTypes, ServiceOutputTypes>;
export type Send = <I extends ServiceInputTypes, O extends ServiceOutputTypes>(command: S3Command<I, O>) => Promise<O>;

/** Runs requests of one store: so many at once, abortable, their errors translated. */
export class S3Requests {
  readonly #client: S3Client;
  readonly #slots: Slots;
  #hasAnswered = false;

  constructor(client: S3Client, maxConcurrency: number) {
    this.#client = client;
    this.#slots = new Slots(maxConcurrency);
  }

  /** `action` ends with its last byte read: the slot is held until then. `what` is for messages: "write NAME to STORE". */
  async run<T>(what: string, action: (send: Send) => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.#slots.use(signal, async () => {
      // The SDK never takes its listener off a signal: one signal for thousands of objects would gather them all.
      const own = new AbortController();
      const stop = () => own.abort(signal?.reason);
      signal?.addEventListener('abort', stop, { once: true });
      try {
        return await action(async (command) => {
          const output = await this.#client.send(command, { abortSignal: own.signal });
          this.#hasAnswered = true;
          return output;
        });
      } catch (error) {
        throw signal?.aborted ? interruption(signal) : this.#passing(error, s3Error(error, what));
      } finally {
        signal?.removeEventListener('abort', stop);
      }
    });
  }

  /** Credentials that were there and cannot be had again now are a passing failure of whoever hands them out. */
  #passing(cause: unknown, error: unknown): unknown {
    if (!this.#hasAnswered || (cause as { name?: unknown }).name !== 'CredentialsProviderError' || !(error instanceof HoldfastError)) return error;
    return new HoldfastError('unavailable', error.message, { cause, ...(error.nextStep === undefined ? {} : { nextStep: error.nextStep }) });
  }
}

/** Lets the Date of the answer be seen, which the SDK does not show; milliseconds, NaN without one. */
export function watchDate<I extends ServiceInputTypes, O extends ServiceOutputTypes>(command: S3Command<I, O>): () => number {
  let date: string | undefined;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      date = (result.response as { readonly headers?: Readonly<Record<string, string>> }).headers?.['date'];
      return result;
    },
    { step: 'deserialize', name: 'holdfastDate' },
  );
  return () => Date.parse(date ?? '');
}

/** Sends a header that the SDK would compute anew, or not at all. */
export function withHeader<I extends ServiceInputTypes, O extends ServiceOutputTypes>(command: S3Command<I, O>, header: string, value: string): void {
  command.middlewareStack.add(
    (next) => async (args) => {
      (args.request as { readonly headers: Record<string, string> }).headers[header] = value;
      return next(args);
    },
    { step: 'build', name: `holdfast-${header}` },
  );
}
