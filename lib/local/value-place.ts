import { HoldfastError } from '../model/errors.ts';

/** A service to restore parameters or secrets into; nothing secret. */
export interface ValuePlace {
  readonly service: 'ssm' | 'secretsmanager';
  /** Before every name; empty: names as they were. */
  readonly prefix: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly keyId?: string;
}

const PARAMETERS = ['region', 'endpoint', 'key'];
const WANTED = 'ssm:PREFIX or secretsmanager:PREFIX, with region, endpoint and key as parameters';

/** `ssm:/restored?region=eu-central-1`, `secretsmanager:restored/`, `ssm:`. Fails as `usage`. */
export function parseValuePlace(text: string): ValuePlace {
  const [, service, prefix = '', query = ''] = /^(ssm|secretsmanager):([A-Za-z0-9/_+=.@-]*)(?:\?(.*))?$/.exec(text) ?? [];
  if (service === undefined) throw wrong(text, 'it names no service and prefix');
  if (service === 'ssm' && prefix !== '' && !/^\/[a-zA-Z0-9_.\-/]*$/.test(prefix)) throw wrong(text, `the prefix is ${JSON.stringify(prefix)}, and those of parameters begin with a slash`);
  const parameters = new URLSearchParams(query);
  const stranger = [...parameters.keys()].find((name) => !PARAMETERS.includes(name));
  if (stranger !== undefined) throw wrong(text, `there is no parameter ${stranger}`);
  const [region, endpoint, keyId] = PARAMETERS.map((name) => parameters.get(name) || undefined);
  if (endpoint !== undefined && !/^https?:\/\/[^\s/@?#]+\/?$/.test(endpoint)) throw wrong(text, 'the endpoint is no address without path and credentials');
  return { service: service as ValuePlace['service'], prefix, ...(region !== undefined && { region }), ...(endpoint !== undefined && { endpoint }), ...(keyId !== undefined && { keyId }) };
}

function wrong(text: string, seen: string): HoldfastError {
  return new HoldfastError('usage', `--to-aws is ${JSON.stringify(text)}: ${seen}; wanted ${WANTED}.`, { nextStep: "For example: `holdfast restore latest:configs --to-aws 'ssm:/restored'`. Credentials come from AWS_PROFILE, AWS_ACCESS_KEY_ID or a role." });
}
