/**
 * List prices of us-east-1 in US dollars, as the price page of each service (https://aws.amazon.com/PAGE/pricing/) had them at
 * the end of 2025, without free tiers. For an estimate, not an offer: look there before you rely on a figure.
 */
export const PRICES_OF = 'us-east-1, list prices of December 2025';

export interface Price {
  readonly usd: number;
  readonly per: string;
  readonly page: string;
}

const MILLION = 1_000_000;

export const PRICES = {
  kmsKey: { usd: 1, per: 'key and month', page: 'kms' },
  kmsRequest: { usd: 0.03 / 10_000, per: 'request', page: 'kms' },
  s3Standard: { usd: 0.023, per: 'GB and month', page: 's3' },
  s3Infrequent: { usd: 0.0125, per: 'GB and month', page: 's3' },
  s3Instant: { usd: 0.004, per: 'GB and month', page: 's3' },
  s3Put: { usd: 0.005 / 1000, per: 'PUT or LIST', page: 's3' },
  s3Get: { usd: 0.0004 / 1000, per: 'GET', page: 's3' },
  alarm: { usd: 0.1, per: 'alarm and month', page: 'cloudwatch' },
  metric: { usd: 0.3, per: 'custom metric and month', page: 'cloudwatch' },
  logs: { usd: 0.5, per: 'GB taken in', page: 'cloudwatch' },
  lambdaRequest: { usd: 0.2 / MILLION, per: 'request', page: 'lambda' },
  lambdaSecond: { usd: 0.000_016_666_7, per: 'GB-second', page: 'lambda' },
  dynamoRead: { usd: 0.125 / MILLION, per: 'read of 4 KB', page: 'dynamodb' },
  dynamoWrite: { usd: 0.625 / MILLION, per: 'write of 1 KB', page: 'dynamodb' },
  dynamoStorage: { usd: 0.25 + 0.2, per: 'GB and month, with point-in-time recovery', page: 'dynamodb' },
  fargateCpu: { usd: 0.040_48, per: 'vCPU-hour', page: 'fargate' },
  fargateMemory: { usd: 0.004_445, per: 'GB-hour', page: 'fargate' },
  fargateStorage: { usd: 0.000_111, per: 'GB-hour beyond 20', page: 'fargate' },
  publicAddress: { usd: 0.005, per: 'address and hour', page: 'vpc' },
  image: { usd: 0.1, per: 'GB and month', page: 'ecr' },
  scheduler: { usd: 1 / MILLION, per: 'invocation', page: 'eventbridge' },
  interfaceEndpoint: { usd: 0.01, per: 'endpoint, zone and hour', page: 'privatelink' },
  natGateway: { usd: 0.045, per: 'gateway and hour', page: 'vpc' },
} as const satisfies Readonly<Record<string, Price>>;

export type PriceName = keyof typeof PRICES;

export const HOURS_A_MONTH = 730;
