import { settingsOf } from './environment.ts';
import type { Environment, ToJson } from './environment.ts';
import { SLACK, STACK, TABLE } from './variables.ts';

const settings = settingsOf({ stackName: STACK, table: TABLE, slackWebhook: SLACK });

/** Brings alerts from the topic to Slack. Only a stack with a webhook has this function. */
export type NotifySettings = ReturnType<typeof settings.read>;

/** Fails as `config-invalid`. */
export function readNotifySettings(environment: Environment): NotifySettings {
  return settings.read(environment);
}

/** What the stack writes; see `Settings.write`. */
export function notifyEnvironment(values: NotifySettings, toJson?: ToJson): Record<string, string> {
  return settings.write(values, toJson);
}
