import { Annotations } from 'aws-cdk-lib';
import type { Stack } from 'aws-cdk-lib';
import { CfnAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { CfnKey } from 'aws-cdk-lib/aws-kms';
import type { ResolvedStack, ResolvedStackPlan } from '../config/resolved-aws.ts';
import { receiverCost } from './monthly-cost.ts';
import { HOURS_A_MONTH, PRICES, PRICES_OF } from './prices.ts';

/** What tasks in a subnet without a way to the internet have to reach: one interface endpoint each. */
const ENDPOINTS = ['ecr.api', 'ecr.dkr', 'logs', 'kms', 'secretsmanager', 'ssm', 'states'] as const;

/** Prints with every synth what the stack costs while it does nothing, item by item (F4). */
export function announceFixedCosts(stack: Stack, resolved: ResolvedStack): void {
  const items = stack.node.findAll();
  const keys = items.filter((item) => item instanceof CfnKey).length;
  const alarms = items.filter((item) => item instanceof CfnAlarm).length;
  const rows = [
    { what: `${keys} KMS keys`, usd: keys * PRICES.kmsKey.usd },
    { what: `${alarms} alarms`, usd: alarms * PRICES.alarm.usd },
    ...resolved.plans.flatMap((plan) => receiver(plan, resolved)),
  ];
  info(stack, 'fixed-costs', `Fixed each month (${PRICES_OF}): ${rows.map(({ what, usd }) => `${what} ${dollars(usd)}`).join(', ')}. ${resolved.plans.some(({ wal }) => wal) ? 'Nothing else' : 'Nothing'} is billed by the hour while no task runs. Storage and runs: docs/costs.md.`);
  for (const [name, network] of Object.entries(resolved.networks)) if (network.kind === 'existing' && !network.assignPublicIp) info(stack, `network-${name}`, privateSubnets(name));
}

/** A task around the clock. */
function receiver({ name, wal, network }: ResolvedStackPlan, { networks }: ResolvedStack): { readonly what: string; readonly usd: number }[] {
  if (wal === undefined) return [];
  const { cpu, memoryMiB, diskGiB } = wal.receiver.task;
  const place = networks[network];
  const rows = receiverCost({ cpu: cpu / 1024, memoryGB: memoryMiB / 1024, diskGB: diskGiB - 20, addresses: place?.kind === 'made' || place?.assignPublicIp === true ? 1 : 0 });
  return [{ what: `WAL receiver of ${name}`, usd: rows.reduce((sum, { usd }) => sum + usd, 0) }];
}

/** Not made by this stack, but without one of them no task in such a network can start. */
function privateSubnets(name: string): string {
  const endpoints = ENDPOINTS.length * PRICES.interfaceEndpoint.usd * HOURS_A_MONTH;
  const nat = PRICES.natGateway.usd * HOURS_A_MONTH;
  return `Network ${name} gives tasks no public address. Its subnets need a NAT gateway (${dollars(nat)} a month and zone, plus data), or gateway endpoints for S3 and DynamoDB (free) and interface endpoints for ${ENDPOINTS.join(', ')} (${dollars(endpoints)} a month and zone, plus data). Prices: ${PRICES_OF}.`;
}

function info(stack: Stack, id: string, text: string): void {
  Annotations.of(stack).addInfoV2(`@holdfast/${id}`, text);
}

function dollars(usd: number): string {
  return `$${usd.toFixed(2)}`;
}
