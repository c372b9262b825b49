import { Alarm, ComparisonOperator, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import type { ITopic } from 'aws-cdk-lib/aws-sns';
import type { Construct } from 'constructs';

export interface RunbookAlarmProps {
  /** Heading of its section in docs/runbook.md. */
  readonly heading: string;
  /** One sentence: what has happened when it rings. */
  readonly means: string;
  readonly metric: IMetric;
  readonly rings: 'at-least-one' | 'none';
  readonly topic: ITopic;
}

/** Every alarm names the section of the runbook that tells what to do; one without a section fails a test. */
export function runbookAlarm(scope: Construct, id: string, { heading, means, metric, rings, topic }: RunbookAlarmProps): Alarm {
  const alarm = new Alarm(scope, id, {
    alarmDescription: `${means} What to do: docs/runbook.md, "${heading}".`,
    metric,
    threshold: 1,
    evaluationPeriods: 1,
    comparisonOperator: rings === 'none' ? ComparisonOperator.LESS_THAN_THRESHOLD : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
    // Silence is the bad news only for what must speak; for errors no data means no errors.
    treatMissingData: rings === 'none' ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
  });
  alarm.addAlarmAction(new SnsAction(topic));
  alarm.addOkAction(new SnsAction(topic));
  return alarm;
}
