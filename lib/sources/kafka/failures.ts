import { isNativeError } from 'node:util/types';
import { protocolErrors } from '@platformatic/kafka';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import type { ErrorCode } from '../../model/errors.ts';
import { clusterName, userName } from './place.ts';
import type { KafkaPlace } from './place.ts';

/** A broker's answer that is a refusal, by its name in the protocol: `TOPIC_AUTHORIZATION_FAILED`. */
export class KafkaRefusal extends Error {
  override readonly name = 'KafkaRefusal';
  readonly id: string;
  /** It may be another answer soon, or from another broker. */
  readonly isPassing: boolean;

  constructor(code: number, said?: string | null) {
    const known = BY_CODE.get(code);
    super(`${known?.id ?? `error ${code}`}${said ? `: ${said}` : known ? ` (${known.message.replace(/\.$/, '')})` : ''}`);
    this.id = known?.id ?? String(code);
    this.isPassing = known?.canRetry ?? false;
  }
}

const BY_CODE = new Map(Object.values(protocolErrors).map((error) => [error.code, error]));

/** Throws what a code of an answer stands for; 0 is none. */
export function refuseCode(code: number, said?: string | null): void {
  if (code !== 0) throw new KafkaRefusal(code, said);
}

const ACLS = 'docs/sources/kafka.md lists the rights';
const ROWS: readonly { readonly pattern: RegExp; readonly code: ErrorCode; readonly nextStep: string }[] = [
  { pattern: /^(SASL_AUTHENTICATION_FAILED|ILLEGAL_SASL_STATE|UNSUPPORTED_SASL_MECHANISM)/, code: 'permission', nextStep: 'Check `user`, `password` and `sasl` against what this listener of the broker wants.' },
  { pattern: /^TOPIC_AUTHORIZATION_FAILED/, code: 'permission', nextStep: `Give the user its rights on the topic: ${ACLS}.` },
  { pattern: /^GROUP_AUTHORIZATION_FAILED/, code: 'permission', nextStep: `Give the user its rights on the consumer group, or leave groups out: ${ACLS}.` },
  { pattern: /^CLUSTER_AUTHORIZATION_FAILED/, code: 'permission', nextStep: `Give the user its rights on the cluster: ${ACLS}.` },
  { pattern: /^UNKNOWN_TOPIC_(ID|OR_PARTITION)/, code: 'source-failed', nextStep: 'Was the topic deleted? Run the backup again; a topic that is gone for good has to leave `topics`.' },
];

/** What went wrong, in the broker's own words. Fails as `permission`, `source-failed`; errors of this house pass. */
export function kafkaFailure(error: unknown, doing: string, place: KafkaPlace): HoldfastError {
  if (isHoldfastError(error)) return error;
  const words = wordsOf(error, place);
  const row = ROWS.find(({ pattern }) => pattern.test(words));
  return new HoldfastError(row?.code ?? 'source-failed', `${doing} at ${clusterName(place)} as ${userName(place)} failed: ${words}.`, {
    nextStep: row?.nextStep ?? 'Check that the brokers run and can be reached under the names that they advertise (advertised.listeners), and run it again.',
    cause: error,
  });
}

/** The innermost reason; libraries wrap it. */
function wordsOf(error: unknown, { sasl }: KafkaPlace): string {
  const reasons: string[] = [];
  for (let one: unknown = error; isNativeError(one); one = innerOf(one)) {
    const said = saidIn(one);
    reasons.push(said ?? one.message);
    if (said !== undefined) break;
  }
  const text = (reasons.at(-1) ?? String(error)).replace(/\.$/, '');
  return sasl === undefined || sasl.password === '' ? text : text.replaceAll(sasl.password, '***');
}

function innerOf(error: Error): unknown {
  const { errors, cause } = error as { errors?: readonly unknown[]; cause?: unknown };
  return cause ?? errors?.at(-1);
}

/** What a broker said beside a code: libraries keep it in the answer. */
function saidIn(error: Error): string | undefined {
  const { apiId, response } = error as { apiId?: unknown; response?: { readonly errorCode?: unknown; readonly errorMessage?: unknown } };
  if (typeof response?.errorCode !== 'number' || response.errorCode === 0) return typeof apiId === 'string' ? `${apiId}: ${error.message}` : undefined;
  return new KafkaRefusal(response.errorCode, typeof response.errorMessage === 'string' ? response.errorMessage : undefined).message;
}
