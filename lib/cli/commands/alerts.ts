import { SEVERITIES } from '../../catalog/ledger-records.ts';
import type { AlertRecord, Severity } from '../../catalog/ledger-records.ts';
import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Colour, Output } from '../output.ts';
import { stackOf } from '../with-catalog.ts';
import { durationInWords, timeInWords } from '../words.ts';

const MOST = 10_000;
const SHOWN = 100;
const COLOURS: Readonly<Record<Severity, Colour>> = { critical: 'red', high: 'red', medium: 'yellow', low: 'bold', info: 'dim' };

/** Exit code 3 while any alert is open, so that a script or a person's shell sees it. */
export async function run(context: CommandContext): Promise<ExitCode> {
  const { output, options, surroundings } = context;
  const ledger = await stackOf(context, 'alerts').ledger();
  const open = (await ledger.listAlerts({ state: 'open', limit: MOST })).sort(bySeverity);
  const shown = options['all'] === true ? await ledger.listAlerts({ limit: (options['limit'] as number | undefined) ?? SHOWN }) : open;
  if (output.isJson) for (const alert of shown) output.result(jsonOf(alert), () => []);
  else output.result({}, () => (shown.length === 0 ? (options['all'] === true ? 'There has been no alert.' : 'No alert is open.') : shown.flatMap((alert) => alertLines(alert, surroundings.clock.now(), output))));
  return open.length > 0 ? 3 : 0;
}

/** What, since when, why, and what to do now. */
export function alertLines(alert: AlertRecord, now: number, output: Pick<Output, 'paint'>): string[] {
  const { severity, title, openedAt, resolvedAt, message, nextStep, runId, alertId } = alert;
  const since = resolvedAt === undefined ? `open since ${timeInWords(openedAt)} (${durationInWords(now - openedAt)})` : `open from ${timeInWords(openedAt)} for ${durationInWords(resolvedAt - openedAt)}`;
  const isOpen = resolvedAt === undefined;
  return [
    `${isOpen ? output.paint(COLOURS[severity], severity) : `${severity}, resolved`}  ${isOpen ? output.paint('bold', title) : title}  ${since}`,
    `  ${message}`,
    ...(isOpen ? [`  Next: ${nextStep}`] : []),
    `  ${output.paint('dim', `${alertId}${runId === undefined || alertId.endsWith(runId) ? '' : `, run ${runId}`}`)}`,
  ];
}

function bySeverity(one: AlertRecord, other: AlertRecord): number {
  return SEVERITIES.indexOf(one.severity) - SEVERITIES.indexOf(other.severity) || other.openedAt - one.openedAt;
}

function jsonOf({ alertId, runId, planName, openedAt, resolvedAt, ...rest }: AlertRecord): object {
  return { type: 'alert', alert: alertId, ...rest, plan: planName, run: runId, openedAt: new Date(openedAt).toISOString(), ...(resolvedAt !== undefined && { resolvedAt: new Date(resolvedAt).toISOString() }) };
}
