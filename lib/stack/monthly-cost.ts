import { HoldfastError } from '../model/errors.ts';
import { HOURS_A_MONTH, PRICES } from './prices.ts';
import type { PriceName } from './prices.ts';

export interface TemplateResource {
  readonly Type: string;
  readonly Properties?: Readonly<Record<string, unknown>>;
}

export interface CostRow {
  readonly what: string;
  readonly quantity: number;
  readonly price: PriceName;
  readonly usd: number;
}

/** What is kept and done in a month, apart from what the template says. */
export interface Usage {
  readonly storedGB: number;
  readonly catalogGB: number;
  readonly imageGB: number;
  /** Of all functions together. */
  readonly logGB: number;
  /** The monitor's looks: how many, how long, what they read and write. */
  readonly looks: { readonly count: number; readonly seconds: number; readonly reads: number; readonly writes: number };
  /** Custom metrics that are alive, by embedded metric format. */
  readonly metrics: number;
  /** Runs of backups, with their read-backs. */
  readonly runs: { readonly count: number; readonly minutes: number; readonly cpu: number; readonly memoryGB: number; readonly puts: number; readonly gets: number; readonly writes: number; readonly kmsRequests: number };
}

/** Types that cost nothing by themselves, or only for what `Usage` counts. */
const BY_USE_OR_FREE = new Set([
  'AWS::S3::Bucket', 'AWS::S3::BucketPolicy', 'AWS::IAM::Role', 'AWS::IAM::Policy', 'AWS::DynamoDB::GlobalTable', 'AWS::SNS::Topic', 'AWS::SNS::TopicPolicy', 'AWS::SNS::Subscription',
  'AWS::ECS::Cluster', 'AWS::ECS::TaskDefinition', 'AWS::Logs::LogGroup', 'AWS::EC2::VPC', 'AWS::EC2::Subnet', 'AWS::EC2::RouteTable', 'AWS::EC2::SubnetRouteTableAssociation', 'AWS::EC2::Route',
  'AWS::EC2::InternetGateway', 'AWS::EC2::VPCGatewayAttachment', 'AWS::EC2::SecurityGroup', 'AWS::SQS::Queue', 'AWS::SQS::QueuePolicy', 'AWS::Lambda::Function', 'AWS::Lambda::EventInvokeConfig',
  'AWS::Lambda::Permission', 'AWS::Events::Rule', 'AWS::Scheduler::ScheduleGroup', 'AWS::Scheduler::Schedule', 'AWS::StepFunctions::StateMachine', 'Custom::HoldfastVaults',
]);

/**
 * Resources that are billed by the hour, used or not. A stack has none of its own accord (F4); WAL receivers are asked for. Fails as `config-invalid` for a type
 * that nobody has judged: it is added to a list here, or to the prices.
 */
export function billedByTheHour(resources: Readonly<Record<string, TemplateResource>>): string[] {
  return Object.entries(resources).filter(([id, resource]) => costOf(id, resource) === 'hour').map(([id]) => id);
}

/** Fixed items of a template and what `usage` adds, largest first. Fails as `billedByTheHour` does. */
export function monthlyCost(resources: Readonly<Record<string, TemplateResource>>, usage: Usage): CostRow[] {
  const kinds = Object.entries(resources).map(([id, resource]) => costOf(id, resource));
  const count = (kind: Kind) => kinds.filter((one) => one === kind).length;
  return [...fixed(count('key'), count('alarm')), ...receiving(resources), ...stored(usage), ...looking(usage), ...running(usage)].filter(({ quantity }) => quantity > 0).sort((a, b) => b.usd - a.usd);
}

type Kind = 'free' | 'key' | 'alarm' | 'hour';

function costOf(id: string, { Type, Properties }: TemplateResource): Kind {
  if (Type === 'AWS::KMS::Key') return 'key';
  if (Type === 'AWS::CloudWatch::Alarm') return 'alarm';
  if (Type === 'AWS::EC2::VPCEndpoint') return Properties?.['VpcEndpointType'] === 'Gateway' ? 'free' : 'hour';
  if (/^AWS::(EC2::(NatGateway|Instance|EIP|TransitGateway.*|VPNConnection)|RDS::.*|ElastiCache::.*|ElasticLoadBalancing.*|ECS::Service|OpenSearchService::.*|MSK::.*|Redshift::.*)$/.test(Type)) return 'hour';
  if (BY_USE_OR_FREE.has(Type)) return 'free';
  throw new HoldfastError('config-invalid', `Nobody has said what ${Type} (${id}) costs, wanted a type that is known to lib/stack/monthly-cost.ts.`, { nextStep: 'Look at its price page and add the type to the list it belongs to.' });
}

const row = (what: string, quantity: number, price: PriceName): CostRow => ({ what, quantity, price, usd: quantity * PRICES[price].usd });

function fixed(keys: number, alarms: number): CostRow[] {
  return [row('KMS keys: one for messages, one for each vault', keys, 'kmsKey'), row('alarms', alarms, 'alarm')];
}

interface Size {
  readonly cpu: number;
  readonly memoryGB: number;
  readonly diskGB: number;
  readonly addresses: number;
}

/** Around the clock, used or not: what a service of one task takes. */
export function receiverCost({ cpu, memoryGB, diskGB, addresses }: Size): CostRow[] {
  return [
    row('WAL receivers: processors', cpu * HOURS_A_MONTH, 'fargateCpu'),
    row('WAL receivers: memory', memoryGB * HOURS_A_MONTH, 'fargateMemory'),
    row('WAL receivers: disk', Math.max(0, diskGB) * HOURS_A_MONTH, 'fargateStorage'),
    row('WAL receivers: public addresses', addresses * HOURS_A_MONTH, 'publicAddress'),
  ];
}

interface ServiceProperties {
  readonly TaskDefinition: { readonly Ref: string };
  readonly NetworkConfiguration: { readonly AwsvpcConfiguration: { readonly AssignPublicIp: string } };
}

interface TaskProperties {
  readonly Cpu: string;
  readonly Memory: string;
  readonly EphemeralStorage: { readonly SizeInGiB: number };
}

/** Every service of the template; a task has 20 GB of disk for nothing. */
function receiving(resources: Readonly<Record<string, TemplateResource>>): CostRow[] {
  const sizes = Object.values(resources).filter(({ Type }) => Type === 'AWS::ECS::Service').map(({ Properties }): Size => {
    const { TaskDefinition, NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp } } } = Properties as unknown as ServiceProperties;
    const { Cpu, Memory, EphemeralStorage: { SizeInGiB } } = (resources[TaskDefinition.Ref] as unknown as { readonly Properties: TaskProperties }).Properties;
    return { cpu: Number(Cpu) / 1024, memoryGB: Number(Memory) / 1024, diskGB: SizeInGiB - 20, addresses: AssignPublicIp === 'ENABLED' ? 1 : 0 };
  });
  const sum = (part: keyof Size) => sizes.reduce((total, size) => total + size[part], 0);
  return receiverCost({ cpu: sum('cpu'), memoryGB: sum('memoryGB'), diskGB: sum('diskGB'), addresses: sum('addresses') });
}

function stored({ storedGB, catalogGB, imageGB, metrics }: Usage): CostRow[] {
  return [row('backups in S3 Standard', storedGB, 's3Standard'), row('catalog', catalogGB, 'dynamoStorage'), row('worker image', imageGB, 'image'), row('metrics', metrics, 'metric')];
}

function looking({ looks, logGB }: Usage): CostRow[] {
  return [
    row('monitor: requests', looks.count, 'lambdaRequest'),
    row('monitor: time, 0.5 GB', looks.count * looks.seconds * 0.5, 'lambdaSecond'),
    row('monitor: reads of the catalog', looks.count * looks.reads, 'dynamoRead'),
    row('monitor: writes to the catalog', looks.count * looks.writes, 'dynamoWrite'),
    row('logs of functions and tasks', logGB, 'logs'),
  ];
}

function running({ runs }: Usage): CostRow[] {
  const hours = (runs.count * runs.minutes) / 60;
  return [
    row('runs: processors', hours * runs.cpu, 'fargateCpu'),
    row('runs: memory', hours * runs.memoryGB, 'fargateMemory'),
    row('runs: public addresses', hours, 'publicAddress'),
    row('runs: PUT and LIST', runs.count * runs.puts, 's3Put'),
    row('runs: GET', runs.count * runs.gets, 's3Get'),
    row('runs: writes to the catalog', runs.count * runs.writes, 'dynamoWrite'),
    row('runs: KMS', runs.count * runs.kmsRequests, 'kmsRequest'),
    row('runs: schedules', runs.count, 'scheduler'),
  ];
}

/** Looks in a month at one every five minutes. */
export const LOOKS_A_MONTH = HOURS_A_MONTH * 12;
