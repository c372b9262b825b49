import type { Alert } from './alert.ts';

export interface RenderedText {
  /** One line of at most 100 printable ASCII characters: what SNS takes and e-mail shows. */
  readonly subject: string;
  readonly text: string;
}

/** Longer texts are cut: the log and the catalog have all of it, and no channel takes more (Slack: 3,000 a block). */
const MAX_BODY = 2500;
const MAX_SUBJECT = 100;

const MARK = { critical: 'CRITICAL', high: 'HIGH', medium: 'MEDIUM', low: 'LOW', info: 'INFO' } as const;

/** Every message says what happened, since when, and what to do now; e-mail and logs show it as it is. */
export function renderText(alert: Alert, stackName: string): RenderedText {
  const { alertId } = alert;
  const parts = [alert.title, cut(alert.message, MAX_BODY), facts(alert).map(([name, value]) => `${name}: ${value}`).join('\n'), todo(alert), `Alert ${alertId} of stack ${stackName}.`];
  return { subject: subjectOf(alert, stackName), text: `${parts.filter((part) => part !== '').join('\n\n')}\n` };
}

/** The first word is what to do with it; the rest is the title, without what mail headers cannot carry. */
function subjectOf({ state, severity, title }: Alert, stackName: string): string {
  const word = state === 'resolved' ? 'Resolved' : state === 'notice' ? 'Notice' : MARK[severity];
  const line = `[${stackName}] ${word}: ${title}`.replace(/\s+/g, ' ').replace(/[^\x20-\x7e]/g, '?');
  return cut(line, MAX_SUBJECT);
}

/** Name and value of everything that is known besides the words. */
export function facts({ state, severity, planName, runId, openedAt, resolvedAt }: Alert): (readonly [name: string, value: string])[] {
  return [
    [state === 'notice' ? 'At' : 'Since', timeText(openedAt)],
    ...(state === 'resolved' ? [['Resolved', timeText(resolvedAt ?? openedAt)] as const] : [['Severity', severity] as const]),
    ...(planName === undefined ? [] : [['Plan', planName] as const]),
    ...(runId === undefined ? [] : [['Run', runId] as const]),
  ];
}

export function todo({ state, nextStep }: Alert): string {
  if (state === 'resolved') return 'Nothing is left to do.';
  return nextStep === '' ? '' : `What to do: ${cut(nextStep, MAX_BODY)}`;
}

/** UTC, because readers sit in several zones; to the second, as in the logs. */
function timeText(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}

/** By characters, never within one that takes two units. */
export function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  return `${text.slice(0, limit - 3).replace(/[\ud800-\udbff]$/, '')}...`;
}
