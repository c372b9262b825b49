import type { Alert } from './alert.ts';
import { cut, facts, renderText, todo } from './render.ts';

/** As an incoming webhook takes it: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
export interface SlackMessage {
  /** For notifications and screen readers, and where blocks are not shown. */
  readonly text: string;
  readonly blocks: readonly unknown[];
}

const SIGN = { critical: ':red_circle:', high: ':red_circle:', medium: ':large_orange_circle:', low: ':large_yellow_circle:', info: ':information_source:' } as const;
/** Slack's limits of a header and of the text of a section or field. */
const HEADER_LIMIT = 150;
const SECTION_LIMIT = 3000;
const FIELD_LIMIT = 2000;

/** Everything that came from outside is escaped: a table named `<!channel>` must not ring everybody's telephone. */
export function renderSlack(alert: Alert, stackName: string): SlackMessage {
  const sign = alert.state === 'resolved' ? ':white_check_mark:' : alert.state === 'notice' ? ':information_source:' : SIGN[alert.severity];
  const fields = [...facts(alert), ['Stack', stackName] as const].map(([name, value]) => ({ type: 'mrkdwn', text: cut(`*${name}*\n${escape(value)}`, FIELD_LIMIT) }));
  const sections = [alert.message, todo(alert)].filter((text) => text !== '').map((text) => ({ type: 'section', text: { type: 'mrkdwn', text: escapedWithin(text, SECTION_LIMIT) } }));
  return {
    text: escape(renderText(alert, stackName).subject),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(`${sign} ${alert.title.replace(/\s+/g, ' ')}`, HEADER_LIMIT), emoji: true } },
      ...sections,
      { type: 'section', fields },
      { type: 'context', elements: [{ type: 'mrkdwn', text: cut(`Alert ${escape(alert.alertId)}`, FIELD_LIMIT) }] },
    ],
  };
}

/** The three characters that Slack gives a meaning to, and the marks of bold, italic, struck and code kept as they are. */
function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Cut before it is escaped, so that no entity is cut in two; one character becomes at most five. */
function escapedWithin(text: string, limit: number): string {
  const whole = escape(text);
  if (whole.length <= limit) return whole;
  for (let length = limit; ; length = Math.floor(length * 0.8)) {
    const shorter = escape(cut(text, length));
    if (shorter.length <= limit) return shorter;
  }
}
