/** How a cluster is reached. */
export interface KafkaPlace {
  /** At least one; the others of the cluster are learned from it. */
  readonly brokers: readonly KafkaAddress[];
  /** Absent: no authentication. */
  readonly sasl?: { readonly mechanism: SaslMechanism; readonly user: string; readonly password: string };
  /** Absent: plain TCP. Certificates are always verified. */
  readonly tls?: { /** PEM; absent: the authorities that the machine trusts. */ readonly ca?: string };
}

export interface KafkaAddress {
  readonly host: string;
  readonly port: number;
}

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

/** For people; never with a secret. */
export function clusterName({ brokers }: KafkaPlace): string {
  return brokers.map(addressText).join(', ');
}

export function addressText({ host, port }: KafkaAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export function userName({ sasl }: KafkaPlace): string {
  return sasl?.user ?? 'nobody (no authentication)';
}
