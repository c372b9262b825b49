import type { Catalog } from '../catalog/catalog.ts';
import type { LedgerRun } from '../catalog/ledger-records.ts';
import { ACTIVE_STATES } from '../catalog/records.ts';
import type { RunRecord, RunState } from '../catalog/records.ts';
import { HoldfastError } from '../model/errors.ts';
import type { RunId } from '../model/ids.ts';
import { closestNames } from './closest-names.ts';
import type { StackRuntime } from './runtime.ts';
import type { KnownRun, Seen } from './run-words.ts';

/** Read at once: a stack's list says little of each run, so each is asked for. */
const AT_ONCE = 25;
/** Of so many of the newest runs one may be named by the beginning of its id. */
const NAMEABLE = 1000;

export interface RunsWanted {
  /** Names or ids; the first that has runs. Absent: of all plans. */
  readonly plans?: readonly string[] | undefined;
  readonly state?: string | undefined;
  readonly limit: number;
}

/** Newest first. `not-found` for a plan that neither ran nor is deployed. */
export async function listRuns(catalog: Catalog, stack: StackRuntime | undefined, { plans, state, limit }: RunsWanted): Promise<KnownRun[]> {
  const states = state === undefined ? undefined : state === 'active' ? ACTIVE_STATES : [state as RunState];
  const isActive = states?.every((wanted) => ACTIVE_STATES.includes(wanted)) === true;
  for (const plan of plans ?? [undefined]) {
    // Few have not ended, however many have: the ledger finds them without reading the others.
    const runs = stack !== undefined && isActive ? newest(await (await stack.ledger()).activeRuns(), { plan, states, limit })
      : await withLedger(await catalog.listRuns({ limit, ...(plan !== undefined && { plan }), ...(states && { states }) }), stack);
    if (runs.length > 0) return runs;
  }
  if (plans !== undefined) await refuseUnknown(plans, catalog, stack);
  return [];
}

/** By its id or the beginning of one. `not-found`, and `usage` with the candidates. */
export async function findRun(catalog: Catalog, stack: StackRuntime | undefined, wanted: string): Promise<KnownRun> {
  const id = wanted.toUpperCase();
  const exact = await catalog.getRun(id as RunId);
  const found = exact === undefined ? (await catalog.listRuns({ limit: NAMEABLE })).filter(({ runId }) => id !== '' && runId.startsWith(id)) : [exact];
  if (found.length > 1) throw new HoldfastError('usage', `${wanted} is the beginning of ${found.length} runs (${found.slice(0, 5).map(({ runId }) => runId).join(', ')}${found.length > 5 ? ', ...' : ''}), wanted one.`, { nextStep: 'Give more characters of the id.' });
  const [run] = await withLedger(found, stack);
  if (run === undefined) throw new HoldfastError('not-found', `No run begins with ${wanted}.`, { nextStep: `Run \`holdfast runs${stack === undefined ? '' : ` --aws ${stack.stackName}`}\` for the ids.` });
  return run;
}

/** What it takes to say what runs wait for; asks only when some do. */
export async function seenNow(runs: readonly KnownRun[], stack: StackRuntime | undefined, now: number): Promise<Seen> {
  const someWait = runs.some(({ state }) => state === 'queued');
  return { now, active: stack !== undefined && someWait ? await (await stack.ledger()).activeRuns() : [] };
}

function newest(runs: readonly LedgerRun[], { plan, states, limit }: { readonly plan: string | undefined; readonly states: readonly RunState[]; readonly limit: number }): KnownRun[] {
  return runs
    .filter(({ planName, planId, state }) => (plan === undefined || planName === plan || planId === plan) && states.includes(state))
    .sort((one, other) => other.queuedAt - one.queuedAt || (other.runId < one.runId ? -1 : 1))
    .slice(0, limit);
}

async function withLedger(runs: readonly RunRecord[], stack: StackRuntime | undefined): Promise<KnownRun[]> {
  if (stack === undefined) return [...runs];
  const ledger = await stack.ledger();
  const found: KnownRun[] = [];
  for (let first = 0; first < runs.length; first += AT_ONCE) {
    found.push(...(await Promise.all(runs.slice(first, first + AT_ONCE).map(async (run) => (await ledger.getLedgerRun(run.runId)) ?? run))));
  }
  return found;
}

/** An empty list must not be the answer to a mistyped name. */
async function refuseUnknown(plans: readonly string[], catalog: Catalog, stack: StackRuntime | undefined): Promise<void> {
  const ran = (await catalog.listPlans()).flatMap(({ name, planId }) => [name, planId as string]);
  if (plans.some((plan) => ran.includes(plan))) return;
  const names = [...new Set([...(await catalog.listPlans()).map(({ name }) => name), ...((await stack?.deployedPlans()) ?? []).map(({ name }) => name)])];
  if (plans.some((plan) => names.includes(plan))) return;
  throw new HoldfastError('not-found', `No plan ${plans[0]} is known${stack === undefined ? '' : ` in the stack ${stack.stackName}`}.`, { nextStep: closestNames(plans[0] ?? '', names) });
}
