import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { KEY_AT_RISK_HEADING } from '../../lib/stack/key-watch.ts';
import { isAllowed } from '../support/iam-evaluate.ts';
import type { Statement } from '../support/iam-evaluate.ts';
import { ACCOUNT, arnOf, onlyOne, resolved } from '../support/stack/deployed-names.ts';
import { ofType, templateOf } from '../support/stack/synthesize.ts';

const template = templateOf();
const alarms = ofType(template, 'AWS::CloudWatch::Alarm').map(([, { Properties }]) => Properties);
const runbook = readFileSync(join(__dirname, '..', '..', 'docs', 'runbook.md'), 'utf8');
const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading ?? '');
const headingOf = (description: string) => /docs\/runbook\.md, "(.+)"\.$/.exec(description)?.[1] ?? '';

describe('alarms', () => {
  test('each names a section of the runbook, and each section has an alarm', () => {
    const rule = ofType(template, 'AWS::Events::Rule').find(([id]) => id.startsWith('KeysKeyAtRisk'))?.[1];
    const named = [...alarms.map(({ AlarmDescription }) => headingOf(AlarmDescription)), headingOf(String(rule?.Properties['Description']))];
    expect([...named].sort()).toEqual([...headings].sort());
    expect(headings).toContain(KEY_AT_RISK_HEADING);
  });

  test('every section says what it means, where to look, how to fix it and how to be sure', () => {
    for (const section of runbook.split(/^## /m).slice(1)) for (const part of ['**What it means.**', '**Look first.**', '**Fix.**', '**Verify.**']) expect([section.split('\n')[0], part, section.includes(part)]).toEqual([section.split('\n')[0], part, true]);
  });

  test('are at most eight, however many plans there are (design: Monitor)', () => {
    expect(alarms.length).toBeLessThanOrEqual(8);
  });

  test('ring for missing data exactly once: when the monitor does not run (M2)', () => {
    const breaching = alarms.filter(({ TreatMissingData }) => TreatMissingData === 'breaching');
    expect(breaching).toMatchObject([{ Namespace: 'AWS/Lambda', MetricName: 'Invocations', Statistic: 'Sum', Period: 900, EvaluationPeriods: 1, Threshold: 1, ComparisonOperator: 'LessThanThreshold' }]);
    expect(JSON.stringify(breaching[0]?.['Dimensions'])).toContain('MonitoringMonitorFunction');
    for (const { TreatMissingData, ...alarm } of alarms) if (TreatMissingData !== 'breaching') expect(alarm).toMatchObject({ Threshold: 1, ComparisonOperator: 'GreaterThanOrEqualToThreshold' });
    expect(new Set(alarms.map(({ TreatMissingData }) => TreatMissingData))).toEqual(new Set(['breaching', 'notBreaching']));
  });

  test('go to the topic, which has e-mail without any function of ours, and lets them publish under its key', () => {
    const topic = arnOf(template, onlyOne(template, 'AWS::SNS::Topic'));
    for (const { AlarmActions, OKActions } of alarms) expect(resolved(template, [AlarmActions, OKActions])).toEqual([[topic], [topic]]);
    expect(ofType(template, 'AWS::SNS::Subscription').map(([, { Properties }]) => Properties['Protocol']).sort((a, b) => (a < b ? -1 : 1))).toEqual(['email', 'lambda']);
    const policy = resolved(template, ofType(template, 'AWS::SNS::TopicPolicy')[0]?.[1].Properties['PolicyDocument']).Statement as Statement[];
    const key = resolved(template, template.Resources['AlertsKeyE7245541']?.Properties['KeyPolicy']).Statement as Statement[];
    const publish = (principal: string, context: Record<string, string>) => isAllowed({ action: 'sns:Publish', resource: topic, principal, context }, { identity: [], resource: policy });
    expect(ofType(template, 'AWS::SNS::TopicPolicy').length).toBe(1);
    expect(publish('cloudwatch.amazonaws.com', { 'aws:SourceArn': `arn:aws:cloudwatch:eu-central-1:${ACCOUNT}:alarm:x` })).toBe(true);
    expect(publish('cloudwatch.amazonaws.com', { 'aws:SourceArn': 'arn:aws:cloudwatch:eu-central-1:999999999999:alarm:x' })).toBe(false);
    expect(publish('events.amazonaws.com', {})).toBe(true);
    for (const service of ['cloudwatch.amazonaws.com', 'events.amazonaws.com']) expect(isAllowed({ action: 'kms:GenerateDataKey', resource: '*', principal: service, context: { 'aws:SourceAccount': ACCOUNT } }, { identity: [], resource: key })).toBe(true);
  });

  test('a vault\'s key that is to be deleted is told under another key than its own', () => {
    const [, rule] = ofType(template, 'AWS::Events::Rule').find(([id]) => id.startsWith('KeysKeyAtRisk')) ?? [];
    expect(rule?.Properties['EventPattern'].detail).toEqual({ eventSource: ['kms.amazonaws.com'], eventName: ['ScheduleKeyDeletion', 'DisableKey'], resources: { ARN: [{ 'Fn::GetAtt': ['VaultmainKeyE5725051', 'Arn'] }] } });
    expect(template.Resources[onlyOne(template, 'AWS::SNS::Topic')]?.Properties['KmsMasterKeyId']).toEqual({ 'Fn::GetAtt': ['AlertsKeyE7245541', 'Arn'] });
  });
});

describe('what fails is kept', () => {
  test('every function has a destination for its failures, a log that ends, and Node 24', () => {
    const functions = ofType(template, 'AWS::Lambda::Function');
    expect(functions.length).toBe(8);
    const destinations = ofType(template, 'AWS::Lambda::EventInvokeConfig').filter(([, { Properties }]) => Properties['DestinationConfig']?.OnFailure !== undefined).map(([, { Properties }]) => Properties['FunctionName'].Ref);
    // CloudFormation waits for the answer of vault-init itself, and a stack that could not be made tells so.
    expect(functions.map(([id]) => id).filter((id) => !destinations.includes(id)).map((id) => id.replace(/[0-9A-F]{8}$/, ''))).toEqual(['VaultInitFunction']);
    for (const [id, { Properties }] of functions) expect([id, Properties['Runtime'], Properties['LoggingConfig']?.LogGroup !== undefined]).toEqual([id, 'nodejs24.x', true]);
  });

  test('every rule has a queue for what it could not deliver, but the one that tells people', () => {
    const without = ofType(template, 'AWS::Events::Rule').filter(([, { Properties }]) => (Properties['Targets'] as { DeadLetterConfig?: unknown }[]).some(({ DeadLetterConfig }) => DeadLetterConfig === undefined)).map(([id]) => id.replace(/[0-9A-F]{8}$/, ''));
    expect(without).toEqual(['KeysKeyAtRisk']);
  });
});
