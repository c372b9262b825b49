import type { Alert } from '../../lib/notify/alert.ts';
import { renderText } from '../../lib/notify/render.ts';
import { renderSlack } from '../../lib/notify/slack-message.ts';
import { decodeAlert, encodeAlert } from '../../lib/notify/topic-message.ts';

const ALERT: Alert = {
  alertId: 'backup-failed/01J', kind: 'backup-failed', severity: 'high', state: 'open', title: 'Backup of orders failed', message: 'pg_dump ended with exit code 1: password authentication failed for user "x".',
  nextStep: 'Store the right password in the secret orders-db.', planName: 'orders', runId: '01J', openedAt: Date.UTC(2026, 10, 21, 10, 0, 0),
};

describe('an alert as text (M3, M4)', () => {
  it('says what failed, since when, and what to do', () => {
    expect(renderText(ALERT, 'prod')).toEqual({
      subject: '[prod] HIGH: Backup of orders failed',
      text: [
        'Backup of orders failed', '', ALERT.message, '', 'Since: 2026-11-21 10:00:00 UTC', 'Severity: high', 'Plan: orders', 'Run: 01J', '',
        'What to do: Store the right password in the secret orders-db.', '', 'Alert backup-failed/01J of stack prod.', '',
      ].join('\n'),
    });
  });

  it('says that it is over, and when', () => {
    const { subject, text } = renderText({ ...ALERT, state: 'resolved', resolvedAt: ALERT.openedAt + 3_600_000 }, 'prod');
    expect(subject).toBe('[prod] Resolved: Backup of orders failed');
    expect(text).toContain('Resolved: 2026-11-21 11:00:00 UTC');
    expect(text).toContain('Nothing is left to do.');
    expect(text).not.toContain('Store the right password');
  });

  it.each([
    ['a line end, which would be a second header', 'a\r\nBcc: everybody@example.com', '[prod] HIGH: a Bcc: everybody@example.com'],
    ['letters outside ASCII', 'Sicherung für Münze – fehlt', '[prod] HIGH: Sicherung f?r M?nze ? fehlt'],
    ['a control character', 'a\u0007b', '[prod] HIGH: a?b'],
  ])('has a subject that SNS takes: %s', (_what, title, subject) => {
    expect(renderText({ ...ALERT, title }, 'prod').subject).toBe(subject);
  });

  it('has a subject of at most 100 characters and a text that is bounded', () => {
    const { subject, text } = renderText({ ...ALERT, title: 'x'.repeat(500), message: 'y'.repeat(1_000_000), nextStep: 'z'.repeat(1_000_000) }, 's'.repeat(128));
    expect(subject).toHaveLength(100);
    expect(text.length).toBeLessThan(8000);
  });
});

describe('an alert for Slack', () => {
  const textOf = (alert: Alert) => JSON.stringify(renderSlack(alert, 'prod'));

  it('has a header, what happened, what to do and the facts', () => {
    expect(renderSlack(ALERT, 'prod')).toEqual({
      text: '[prod] HIGH: Backup of orders failed',
      blocks: [
        { type: 'header', text: { type: 'plain_text', text: ':red_circle: Backup of orders failed', emoji: true } },
        { type: 'section', text: { type: 'mrkdwn', text: ALERT.message } },
        { type: 'section', text: { type: 'mrkdwn', text: `What to do: ${ALERT.nextStep}` } },
        { type: 'section', fields: expect.arrayContaining([{ type: 'mrkdwn', text: '*Since*\n2026-11-21 10:00:00 UTC' }, { type: 'mrkdwn', text: '*Plan*\norders' }, { type: 'mrkdwn', text: '*Stack*\nprod' }]) as unknown },
        { type: 'context', elements: [{ type: 'mrkdwn', text: 'Alert backup-failed/01J' }] },
      ],
    });
  });

  it('rings nobody whatever a table, a plan or an error is called', () => {
    const evil = '<!channel> <@U123> <https://evil.example|click> & more';
    const slack = renderSlack({ ...ALERT, message: evil, nextStep: evil, planName: evil, alertId: evil, title: evil }, evil);
    // A header is plain text, in which Slack reads no markup.
    const { blocks, text } = slack;
    expect(JSON.stringify([text, blocks.slice(1)])).not.toMatch(/<[!@h]/);
    expect(JSON.stringify(blocks)).toContain('&lt;!channel&gt;');
  });

  it('keeps to the limits of Slack when everything is long and every character is escaped', () => {
    const long = '&'.repeat(50_000);
    const blocks = renderSlack({ ...ALERT, title: long, message: long, nextStep: long, planName: long, alertId: long }, 's').blocks as { text?: { text: string }; fields?: { text: string }[] }[];
    expect(blocks[0]?.text?.text.length).toBeLessThanOrEqual(150);
    for (const block of blocks.slice(1)) {
      expect(block.text?.text.length ?? 0).toBeLessThanOrEqual(3000);
      for (const field of block.fields ?? []) expect(field.text.length).toBeLessThanOrEqual(2000);
    }
    expect(blocks[1]?.text?.text).toMatch(/^(&amp;)+\.\.\.$/);
  });

  it('has no empty block, which Slack would refuse', () => {
    expect(textOf({ ...ALERT, message: '', nextStep: '' })).not.toContain('"text":""');
  });

  it('does not cut a character in two', () => {
    expect(textOf({ ...ALERT, title: `${'x'.repeat(132)}😀😀😀😀😀` })).not.toMatch(/\\ud83d(?!\\ude00)/);
  });
});

describe('what comes through the topic', () => {
  const message = (text: string, subject?: string) => ({ messageId: 'm-1', subject, message: text, sentAt: 5000 });

  it('is our alert as it was sent', () => {
    expect(decodeAlert(message(encodeAlert(ALERT, 'text')))).toEqual({ alert: ALERT, isOurs: true });
  });

  it('may be an alarm of CloudWatch, on and off', () => {
    const alarm = { AlarmName: 'MonitorSilent', AlarmDescription: 'docs/runbook.md: The monitor is silent', NewStateValue: 'ALARM', NewStateReason: 'no datapoints', StateChangeTime: '2026-11-21T10:00:00.000+0000', Trigger: {} };
    expect(decodeAlert(message(JSON.stringify(alarm)))).toEqual({ isOurs: false, alert: expect.objectContaining({ state: 'open', title: 'Alarm: MonitorSilent', message: 'no datapoints', nextStep: alarm.AlarmDescription, openedAt: ALERT.openedAt }) as unknown });
    expect(decodeAlert(message(JSON.stringify({ ...alarm, NewStateValue: 'OK' }))).alert).toMatchObject({ state: 'resolved', title: 'MonitorSilent is over' });
  });

  it('may be an event', () => {
    const event = { 'version': '0', 'detail-type': 'KMS CMK Deletion', 'source': 'aws.kms', 'time': '2026-11-21T10:00:00Z', 'detail': { 'key-id': 'k' } };
    expect(decodeAlert(message(JSON.stringify(event))).alert).toMatchObject({ state: 'notice', title: 'KMS CMK Deletion (aws.kms)', message: expect.stringContaining('key-id') as string, openedAt: ALERT.openedAt });
  });

  it.each([['words', 'Hello', undefined, 'Hello'], ['words with a subject', 'Hello', 'Greeting', 'Greeting'], ['JSON of somebody else', '{"a":1}', 'S', 'S'], ['our JSON of another version', '{"holdfast":2,"alert":{}}', 'S', 'S']])('may be %s, and is told', (_what, text, subject, title) => {
    expect(decodeAlert(message(text, subject))).toEqual({ isOurs: false, alert: expect.objectContaining({ state: 'notice', title, message: text, alertId: 'message/m-1', openedAt: 5000 }) as unknown });
  });
});
