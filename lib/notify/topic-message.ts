import * as z from 'zod';
import { alert as alertSchema } from './alert.ts';
import type { Alert } from './alert.ts';

/** What SNS delivers to a function. */
export interface TopicMessage {
  readonly messageId: string;
  readonly subject: string | undefined;
  readonly message: string;
  /** Milliseconds. */
  readonly sentAt: number;
}

export interface ReceivedAlert {
  readonly alert: Alert;
  /** False: AWS itself wrote to the topic, so the catalog does not know it. */
  readonly isOurs: boolean;
}

const ours = z.object({ holdfast: z.literal(1), alert: alertSchema });
/** As CloudWatch sends it: its documented fields, of which more may come. */
const alarm = z.object({ AlarmName: z.string(), AlarmDescription: z.string().nullish(), NewStateValue: z.string(), NewStateReason: z.string().default(''), StateChangeTime: z.string().optional() });
const event = z.object({ 'detail-type': z.string(), source: z.string(), time: z.string().optional(), detail: z.unknown() });

/** What machines that subscribe to the topic read (Lambda, SQS, HTTPS). */
export function encodeAlert(alert: Alert, text: string): string {
  return JSON.stringify({ holdfast: 1, alert, text });
}

/** Alerts of our own, alarms of CloudWatch, events, and whatever else somebody publishes: everything is told. */
export function decodeAlert(message: TopicMessage): ReceivedAlert {
  const json = parseJson(message.message);
  const own = ours.safeParse(json);
  if (own.success) return { alert: own.data.alert, isOurs: true };
  const foreign = alarm.safeParse(json);
  if (foreign.success) return { alert: fromAlarm(foreign.data, message), isOurs: false };
  const happened = event.safeParse(json);
  if (happened.success) return { alert: fromEvent(happened.data, message), isOurs: false };
  const title = message.subject ?? message.message.split('\n')[0] ?? 'A message without words';
  return { alert: notice(message, { title, message: message.message }), isOurs: false };
}

function fromAlarm({ AlarmName, AlarmDescription, NewStateValue, NewStateReason, StateChangeTime }: z.infer<typeof alarm>, message: TopicMessage): Alert {
  const at = timeOf(StateChangeTime, message);
  const isOver = NewStateValue === 'OK';
  return {
    alertId: `alarm/${AlarmName}`,
    kind: 'control-plane',
    severity: 'high',
    state: isOver ? 'resolved' : 'open',
    title: isOver ? `${AlarmName} is over` : `Alarm: ${AlarmName}`,
    message: NewStateReason,
    nextStep: AlarmDescription ?? '',
    openedAt: at,
    ...(isOver && { resolvedAt: at }),
  };
}

function fromEvent(happened: z.infer<typeof event>, message: TopicMessage): Alert {
  return { ...notice(message, { title: `${happened['detail-type']} (${happened.source})`, message: JSON.stringify(happened.detail, null, 1) ?? '' }), openedAt: timeOf(happened.time, message) };
}

function notice({ messageId, sentAt }: TopicMessage, words: Pick<Alert, 'title' | 'message'>): Alert {
  return { alertId: `message/${messageId}`, kind: 'control-plane', severity: 'info', state: 'notice', nextStep: '', openedAt: sentAt, ...words };
}

function timeOf(text: string | undefined, { sentAt }: TopicMessage): number {
  const at = Date.parse(text ?? '');
  return Number.isNaN(at) ? sentAt : at;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
