import { LOOKS_A_MONTH, billedByTheHour, monthlyCost, receiverCost } from './monthly-cost.ts';
import type { CostRow, TemplateResource, Usage } from './monthly-cost.ts';
import { HOURS_A_MONTH, PRICES, PRICES_OF } from './prices.ts';

const NO_RUNS: Usage['runs'] = { count: 0, minutes: 0, cpu: 0, memoryGB: 0, puts: 0, gets: 0, writes: 0, kmsRequests: 0 };

const SMALLEST = { cpu: 0.25, memoryGB: 0.5, diskGB: 1, addresses: 0 };

/** Three plans, 100 GB stored, nothing running. */
export const IDLE: Usage = {
  storedGB: 100,
  catalogGB: 0.01,
  imageGB: 0.3,
  logGB: 0.1,
  looks: { count: LOOKS_A_MONTH, seconds: 1, reads: 20, writes: 0 },
  metrics: 0,
  runs: NO_RUNS,
};

/** The same with the plans of the example running: 30 daily twice and 4 weekly, each read back. */
export const RUNNING: Usage = { ...IDLE, logGB: 0.2, runs: { count: 128, minutes: 10, cpu: 1, memoryGB: 2, puts: 300, gets: 600, writes: 60, kmsRequests: 10 } };

/** docs/costs.md: the arithmetic, row by row, from the template. */
export function costDocs(resources: Readonly<Record<string, TemplateResource>>): string {
  const [idle, running] = [monthlyCost(resources, IDLE), monthlyCost(resources, RUNNING)];
  return `# What a stack costs

Computed by \`node scripts/monthly-cost.ts\` from the template of \`examples/aws/holdfast.yaml\` (three plans, one vault). Do not edit.
Prices: ${PRICES_OF}, without free tiers (\`lib/stack/prices.ts\`). They differ by region and change: check them before you rely on a figure.

Resources billed by the hour while nothing runs: **${billedByTheHour(resources).length}**. A test fails when one appears.

## Idle: ${IDLE.storedGB} GB stored, no run in the month

${table(idle)}

**${dollars(total(idle))} a month**, of which ${dollars(total(idle.filter(({ price }) => price === 'kmsKey' || price === 'alarm')))} are fixed: every \`cdk synth\` prints them. A key costs one dollar more after its first yearly
rotation and once more after its second, then no more.

## With runs: ${RUNNING.runs.count} of ${RUNNING.runs.minutes} minutes, read-backs among them

One virtual CPU, ${RUNNING.runs.memoryGB} GB, ${RUNNING.runs.puts} PUT and ${RUNNING.runs.gets} GET each. Your runs differ: the seconds are what counts.

${table(running)}

**${dollars(total(running))} a month.**

## What comes besides

- **Classes.** 100 GB in Standard-IA cost ${dollars(100 * PRICES.s3Infrequent.usd)} a month instead of ${dollars(100 * PRICES.s3Standard.usd)}, in Glacier Instant Retrieval ${dollars(100 * PRICES.s3Instant.usd)}; reading them costs, and they are billed for 30 and 90 days at least.
- **Deleted versions** are billed for 14 days more, locked ones until their lock ends.
- **Secrets** are yours: Secrets Manager takes $0.40 for each and month.
- **Private subnets** need a NAT gateway (${dollars(PRICES.natGateway.usd * HOURS_A_MONTH)} a month and zone, plus data) or interface endpoints (${dollars(PRICES.interfaceEndpoint.usd * HOURS_A_MONTH)} each). Synth says so for every network without public addresses. The network that the stack makes needs neither.
- **A WAL receiver** (\`wal-receiver: {}\`: 0.25 virtual CPU, 0.5 GB, around the clock) costs ${dollars(total(receiverCost(SMALLEST)))} a month, with a public address ${dollars(total(receiverCost({ ...SMALLEST, addresses: 1 })))}; besides, where the server is written to all the time, ${dollars((HOURS_A_MONTH * 60 + HOURS_A_MONTH * 12) * PRICES.s3Put.usd)} of PUT for partial segments and notes, and one PUT for each segment. Synth prints it for every plan that has one.
- **Restores** pay for their task's minutes and, out of another region, for data.
- **Data into AWS** costs nothing; between zones and out of a VPC's NAT it does.
`;
}

function table(rows: readonly CostRow[]): string {
  const lines = rows.map(({ what, quantity, price, usd }) => `| ${what} | ${number(quantity)} | ${rate(PRICES[price].usd)} per ${PRICES[price].per} | ${usd < 0.005 ? 'under $0.01' : dollars(usd)} |`);
  return ['| what | how many | at | a month |', '| --- | ---: | --- | ---: |', ...lines].join('\n');
}

function total(rows: readonly CostRow[]): number {
  return rows.reduce((sum, { usd }) => sum + usd, 0);
}

function dollars(usd: number): string {
  return `$${usd.toFixed(2)}`;
}

/** Small ones in full, not as 1e-7. */
function rate(usd: number): string {
  return `$${usd >= 0.001 ? Number(usd.toPrecision(6)) : usd.toFixed(10).replace(/0+$/, '')}`;
}

function number(quantity: number): string {
  return Number(quantity.toPrecision(4)).toLocaleString('en-US');
}
