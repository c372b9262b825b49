/**
 * Prices of us-east-1 in US dollars, from the public price pages of each service (https://aws.amazon.com/<service>/pricing/),
 * as of 2026-01. They are figures for an estimate, not an offer; `docs/costs.md` shows the arithmetic.
 */
export const PRICES_OF = 'us-east-1, 2026-01';

export const PRICES = {
  kmsKeyMonth: { usd: 1, per: 'key and month', page: 'kms' },
  kmsRequest: { usd: 0.03 / 10_000, per: 'request', page: 'kms' },
  s3StandardGiBMonth: { usd: 0.023, per: 'GB and month', page: 's3' },
  s3InfrequentGiBMonth: { usd: 0.0125, per: 'GB and month', page: 's3' },
  s3InstantGiBMonth: { usd: 0.004, per: 'GB and month', page: 's3' },
  s3Put: { usd: 0.005 / 1000, per: 'PUT or LIST', page: 's3' },
  s3Get: { usd: 0.0004 / 1000, per: 'GET', page: 's3' },
  alarmMetricMonth: { usd: 0.1, per: 'metric of an alarm and month', page: 'cloudwatch' },
  logGiB: { usd: 0.5, per: 'GB of log taken in', page: 'cloudwatch' },
  lambdaRequest: { usd: 0.2 / 1_000_000, per: 'request', page: 'lambda' },
  lambdaGiBSecond: { usd: 0.0000166667, per: 'GB-second', page: 'lambda' },
  dynamoRead: { usd: 0.125 / 1_000_000, per: 'read of 4 KB', page: 'dynamodb' },
  dynamoWrite: { usd: 0.625 / 1_000_000, per: 'write of 1 KB', page: 'dynamodb' },
  dynamoGiBMonth: { usd: 0.25, per: 'GB and month', page: 'dynamodb' },
  dynamoPitrGiBMonth: { usd: 0.2, per: 'GB and month', page: 'dynamodb' },
  fargateCpuHour: { usd: 0.04048, per: 'vCPU-hour', page: 'fargate' },
  fargateGiBHour: { usd: 0.004445, per: 'GB-hour', page: 'fargate' },
  ecrGiBMonth: { usd: 0.1, per: 'GB and month', page: 'ecr' },
  schedulerCall: { usd: 1 / 1_000_000, per: 'invocation', page: 'eventbridge' },
  secretMonth: { usd: 0.4, per: 'secret and month', page: 'secrets-manager' },
  interfaceEndpointHour: { usd: 0.01, per: 'endpoint, zone and hour', page: 'privatelink' },
  natGatewayHour: { usd: 0.045, per: 'gateway and hour', page: 'vpc' },
  publicAddressHour: { usd: 0.005, per: 'address and hour', page: 'vpc' },
} as const;

export const HOURS_A_MONTH = 730;
