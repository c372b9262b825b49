import * as z from 'zod';
import { byteSize, durationWithin, path, secret, strictMap, text, wholeNumber, yesOrNo } from './schema-words.ts';
import { connection } from './source-schema.ts';
import { FARGATE_SIZES, memoryInWords } from './task-size.ts';

/** Fields of plans, networks, restore targets and notifications that only the aws runtime carries out. */

const resourceId = (prefix: string, what: string) => {
  const error = `the id of ${what}: ${prefix}-...`;
  return z.string({ error }).regex(new RegExp(`^${prefix}-[0-9a-f]{8,40}$`), { error });
};

const MIB = 2 ** 20;
const GIB = 2 ** 30;
const LARGEST_DISK_GIB = 180;

const CPU_WANTED = `one of ${[...FARGATE_SIZES.keys()].join(', ')} (1024 is one virtual CPU)`;
const diskWanted = `a size from 21 GiB to ${LARGEST_DISK_GIB} GiB`;

const taskSize = strictMap({
  cpu: z.int({ error: CPU_WANTED }).refine((value) => FARGATE_SIZES.has(value), { error: CPU_WANTED }).default(1024).meta({ description: 'CPU units of the Fargate task: 1024 is one virtual CPU.' }),
  memory: byteSize.default(2 * GIB).meta({ description: 'Memory of the task, such as "2 GiB"; which sizes there are depends on cpu.' }),
  disk: byteSize.refine((bytes) => bytes >= 21 * GIB && bytes <= LARGEST_DISK_GIB * GIB && bytes % GIB === 0, { error: diskWanted }).default(21 * GIB).meta({ description: 'Scratch space of the task, 21 to 180 GiB.' }),
}, 'a map with "cpu", "memory" and "disk"');
export const task = taskSize.superRefine(refuseSizes);

const SLOT_WANTED = 'a name of a replication slot: 1 to 63 of the characters a-z, 0-9 and _';
export const walReceiver = strictMap({
  ...taskSize.shape,
  cpu: taskSize.shape.cpu.unwrap().default(256),
  memory: byteSize.default(512 * MIB).meta({ description: 'Memory of the task, such as "512 MiB"; which sizes there are depends on cpu.' }),
  slot: text(SLOT_WANTED).regex(/^[a-z0-9_]{1,63}$/, { error: SLOT_WANTED }).optional().meta({ description: 'Replication slot, made when it is not there; holdfast_PLAN when absent.' }),
  'partial-every': durationWithin('5s', '10m').optional().meta({ description: 'How often the segment that is being written is kept, too: what the loss of the server may cost; 60s when absent.' }),
}, 'a map with "cpu", "memory", "disk", "slot" and "partial-every", which may be empty')
  .superRefine(refuseSizes);

const ABSOLUTE = 'an absolute path without ".", ".." or an end slash';
const mountPath = path.refine((value) => /^(\/(?!\.{1,2}(\/|$))[^/]+)+$/.test(value), { error: ABSOLUTE });

export const mount = strictMap({
  path: mountPath.meta({ description: 'Where the task sees the file system.' }),
  'file-system': resourceId('fs', 'an EFS file system'),
  'access-point': resourceId('fsap', 'an EFS access point').optional(),
}, 'a mount: a map with "path", "file-system" and, where there is one, "access-point"');

export const mounts = z.array(mount, { error: 'a list of mounts' });

export const event = strictMap({
  pattern: z.record(z.string(), z.unknown(), { error: 'an event pattern of EventBridge: a map' }).meta({ description: 'Which events start the plan, as EventBridge writes patterns.' }),
  'collapse-minutes': wholeNumber(1, 24 * 60).default(5).meta({ description: 'Events within so many minutes are one burst: one run, or two when a change comes while the first one reads.' }),
}, 'a map with "pattern" and "collapse-minutes"');

/** Of a plan, beside source, vault and policy. Without defaults here: in a plan of another vault any of them is refused. */
export const stackPlanFields = {
  network: text('the name of a network').optional().meta({ description: 'In which of `networks` its tasks run; `default` when absent.' }),
  task: task.optional().meta({ description: 'Size of its Fargate tasks; 1024 CPU units, 2 GiB and 21 GiB of disk when absent.' }),
  mounts: mounts.optional().meta({ description: 'EFS file systems that its tasks see; files and SQLite databases must lie below one.' }),
  'wal-receiver': walReceiver.optional().meta({ description: 'A task that receives the WAL of a physical postgres source around the clock. `{}` is enough.' }),
  events: z.array(event, { error: 'a list of events' }).optional().meta({ description: 'EventBridge events that start the plan, beside its schedule.' }),
  'freshness-hours': wholeNumber(1, 24 * 366).optional().meta({ description: 'An alert opens when the newest good backup is older. When absent 24, with policy media 48, and a day more than the schedule takes when it runs less often.' }),
  'start-window-minutes': wholeNumber(1, 7 * 24 * 60).optional().meta({ description: 'A run that could not start for so long fails; 60 when absent.' }),
  'max-duration-minutes': wholeNumber(1, 30 * 24 * 60).optional().meta({ description: 'A run that takes longer is stopped; 720 when absent.' }),
} as const;

export const network = strictMap({
  vpc: resourceId('vpc', 'a VPC'),
  subnets: z.array(resourceId('subnet', 'a subnet'), { error: 'a list of subnet ids' }).min(1, { error: 'at least one subnet' }),
  'security-groups': z.array(resourceId('sg', 'a security group'), { error: 'a list of security group ids' }).min(1, { error: 'at least one security group' }),
  'public-address': yesOrNo().default(false).meta({ description: 'Tasks get a public address while they run: what subnets without NAT need to reach AWS.' }),
}, 'a network: a map with "vpc", "subnets", "security-groups" and "public-address"');

const targetPlace = { network: stackPlanFields.network, task: stackPlanFields.task } as const;

const postgresTarget = strictMap({
  type: z.literal('postgres'),
  ...connection,
  'create-database': yesOrNo().default(false).meta({ description: 'Make the database, which must not be there yet; false: it must be there.' }),
  ...targetPlace,
}, 'a postgres target');

const directoryTarget = strictMap({
  type: z.literal('directory'),
  path: mountPath.meta({ description: 'Where to restore to, below one of `mounts`.' }),
  mounts: mounts.min(1, { error: 'at least one mount' }),
  ...targetPlace,
}, 'a directory target');

export const restoreTarget = z.discriminatedUnion('type', [postgresTarget, directoryTarget], {
  error: (issue) => (issue.code === 'invalid_union' ? 'one of postgres, directory' : 'a restore target: a map with "type" (postgres, directory) and its fields'),
});

const EMAIL_WANTED = 'an e-mail address';
const TOPIC_WANTED = 'the ARN of an SNS topic: arn:aws:sns:REGION:ACCOUNT:NAME';
export const notifications = strictMap({
  email: z.array(text(EMAIL_WANTED).regex(/^[^\s@]+@[^\s@]+$/, { error: EMAIL_WANTED }), { error: 'a list of e-mail addresses' }).optional(),
  slack: secret.optional().meta({ description: 'Where the URL of a Slack webhook is: ${secret:NAME} or ${ssm:/path}.' }),
  'existing-topic': text(TOPIC_WANTED).regex(/^arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}$/, { error: TOPIC_WANTED }).optional().meta({ description: 'An SNS topic to use instead of making one.' }),
}, 'a map with "email", "slack" and "existing-topic"');

function refuseSizes({ cpu, memory }: { readonly cpu: number; readonly memory: number }, context: z.core.$RefinementCtx): void {
  const sizes = FARGATE_SIZES.get(cpu);
  if (sizes !== undefined && !sizes.includes(memory / MIB)) context.addIssue({ code: 'custom', path: ['memory'], message: `one of ${sizes.map(memoryInWords).join(', ')} (what Fargate has for ${cpu} CPU units)` });
}

export type WalReceiverFields = z.output<typeof walReceiver>;
export type RestoreTargetFields = z.output<typeof restoreTarget>;
export type NetworkFields = z.output<typeof network>;
export type MountFields = z.output<typeof mount>;
export type TaskFields = z.output<typeof task>;
