import type { ResolvedConfigs } from '../config/configs-schema.ts';
import type { ResolvedLogs } from '../config/logs-schema.ts';
import type { SecretReference } from '../config/secret-reference.ts';
import type { ResolvedServicePlace } from '../config/service-words.ts';
import type { Clock } from '../model/clock.ts';
import { ConfigsSource } from '../sources/configs.ts';
import { LogsSource } from '../sources/logs.ts';
import { logsClient, secretsClient, ssmClient } from './clients.ts';
import type { ClientOptions } from './clients.ts';
import { CloudwatchLogGroups } from './log-group-events.ts';
import { ParameterValues } from './parameter-values.ts';
import { SecretValues } from './secret-values.ts';

export interface ServicePlaces {
  readonly clock: Clock;
  /** Fails as `missing-key`, `permission`. */
  readonly resolveSecret: (reference: SecretReference) => Promise<string>;
  /** Where the plan says nothing; absent: by the SDK's own rules. */
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
}

/** Services answer a few tens of calls a second and tell whoever asks more to wait: that is waited for. */
const MAX_ATTEMPTS = 10;

export async function configsSourceOf(source: ResolvedConfigs, places: ServicePlaces): Promise<ConfigsSource> {
  const { files, parameters, secrets } = source;
  const options = await clientOptions(source, places);
  // No client without a name to ask for: it would want a region.
  const values = [
    ...(parameters.length > 0 ? [{ service: new ParameterValues(ssmClient(options)), wanted: parameters }] : []),
    ...(secrets.length > 0 ? [{ service: new SecretValues(secretsClient(options)), wanted: secrets }] : []),
  ];
  return new ConfigsSource({ files, values, clock: places.clock });
}

export async function logsSourceOf(source: ResolvedLogs, places: ServicePlaces): Promise<LogsSource> {
  const { paths, include, exclude, logGroups, rangeMs, windowMs, lateMs, parallel } = source;
  const client = logsClient(await clientOptions(source, places));
  return new LogsSource({ paths, include, exclude, groups: new CloudwatchLogGroups({ client }), wanted: logGroups, rangeMs, windowMs, lateMs, parallel, clock: places.clock });
}

async function clientOptions({ endpoint, region, credentials }: ResolvedServicePlace, places: ServicePlaces): Promise<ClientOptions> {
  const where = { endpoint: endpoint ?? places.endpoint, region: region ?? places.region };
  return {
    maxAttempts: MAX_ATTEMPTS,
    ...(where.endpoint !== undefined && { endpoint: where.endpoint }),
    ...(where.region !== undefined && { region: where.region }),
    ...(credentials && { credentials: { accessKeyId: await places.resolveSecret(credentials.accessKeyId), secretAccessKey: await places.resolveSecret(credentials.secretAccessKey) } }),
  };
}
