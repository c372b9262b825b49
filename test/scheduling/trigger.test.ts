import { parseTrigger } from '../../lib/scheduling/trigger.ts';

describe('what asks for a run', () => {
  it('is a schedule with its time, an event with its id, or a person with a key', () => {
    expect(parseTrigger({ plan: 'shop', scheduledTime: '2026-06-02T12:00:00Z' })).toEqual({ plan: 'shop', kind: 'schedule', scheduledTime: Date.UTC(2026, 5, 2, 12) });
    expect(parseTrigger({ plan: 'shop', eventId: 'e-1', eventTime: '2026-06-02T12:00:00Z' })).toEqual({ plan: 'shop', kind: 'event', eventId: 'e-1', eventTime: Date.UTC(2026, 5, 2, 12) });
    expect(parseTrigger({ plan: 'shop', idempotencyKey: 'k' })).toEqual({ plan: 'shop', kind: 'manual', idempotencyKey: 'k' });
  });

  it('takes the keyword of a scheduler that does not fill it in for "the latest due time"', () => {
    expect(parseTrigger({ plan: 'shop', scheduledTime: '<aws.scheduler.scheduled-time>' })).toEqual({ plan: 'shop', kind: 'schedule' });
  });

  it.each([
    [{ plan: 'shop' }],
    [{ scheduledTime: '2026-06-02T12:00:00Z' }],
    [{ plan: 'shop', scheduledTime: 'noon' }],
    [{ plan: 'shop', eventId: 'e', idempotencyKey: 'k' }],
    [{ plan: 'shop', idempotencyKey: '' }],
    [{ plan: 'shop', idempotencyKey: 'a b' }],
    [{ plan: 'shop', idempotencyKey: 'x'.repeat(201) }],
    [{ plan: 'shop', idempotencyKey: 'k', command: 'rm -rf /' }],
    ['shop'],
    [undefined],
  ])('refuses %j', (value) => {
    expect(() => parseTrigger(value)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});
