import type { Alert } from './alert.ts';

/**
 * A way to people. `send` returns when the channel has taken the message; callable again after any failure, and then
 * people may read it twice. Fails as `unavailable` (retryable: the channel does not answer now or asks to wait),
 * `refused` (final: it will never take this message or this address), `permission`, `missing-key`.
 */
export interface Channel {
  /** As deliveries are marked in the catalog: `slack`, `sns`. */
  readonly name: string;
  send(alert: Alert): Promise<void>;
}
