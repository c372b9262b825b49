import * as z from 'zod';
import type { Variable } from './environment.ts';
import type { DeployedNetworks } from './deployed.ts';

/** Where one vault of the stack lies. */
export interface VaultPlace {
  readonly bucket: string;
  /** Below which everything of the vault lies; empty, or ending in "/". */
  readonly prefix: string;
  /** ARN of the KMS key that wraps the vault's keys. */
  readonly keyArn: string;
}
export type VaultPlaces = Readonly<Record<string, VaultPlace>>;

/** A secret's place as holdfast.yaml writes it. */
const SECRET = /^\$\{(secret|ssm):[^{}\n]+\}$/;
const ASSET = /^s3:\/\/[^/]+\/.+$/;

const text = (name: string, wanted: string): Variable<string> => ({ name, wanted, schema: z.string(), isJson: false });
const matching = (name: string, wanted: string, pattern: RegExp): Variable<string> => ({ name, wanted, schema: z.string().regex(pattern), isJson: false });

export const STACK = text('HOLDFAST_STACK', 'the name of the stack');
export const TABLE = text('HOLDFAST_TABLE', "the name of the catalog's DynamoDB table");
export const CONFIG = matching('HOLDFAST_CONFIG', 'the address of the deployed configuration, s3://bucket/key', ASSET);
export const CLUSTER = text('HOLDFAST_CLUSTER', 'the name or ARN of the ECS cluster');
export const TOPIC = matching('HOLDFAST_TOPIC', "the ARN of the alerts' SNS topic", /^arn:[^:]+:sns:/);
export const SLACK = matching('HOLDFAST_SLACK', 'where the Slack webhook is kept, ${secret:NAME} or ${ssm:/path}', SECRET);
export const RUN_ID = matching('HOLDFAST_RUN_ID', 'the id of the run (26 letters and digits)', /^[0-9A-HJKMNP-TV-Z]{26}$/);
export const TASK_TOKEN: Variable<string> = { ...text('HOLDFAST_TASK_TOKEN', 'the token of the waiting Step Functions task'), isSecret: true };

const vaultPlace = z.object({ bucket: z.string().min(1), prefix: z.string().regex(/^$|\/$/, 'empty, or ending in "/"'), keyArn: z.string().startsWith('arn:') });
export const VAULTS: Variable<VaultPlaces> = { name: 'HOLDFAST_VAULTS', wanted: 'JSON: name of the vault → {bucket, prefix, keyArn}', schema: z.record(z.string(), vaultPlace), isJson: true };

const networkPlace = z.object({ subnets: z.array(z.string()).min(1), securityGroups: z.array(z.string()), assignPublicIp: z.boolean() });
export const NETWORKS: Variable<DeployedNetworks> = { name: 'HOLDFAST_NETWORKS', wanted: 'JSON: name of the network → {subnets, securityGroups, assignPublicIp}', schema: z.record(z.string(), networkPlace), isJson: true };
