import { Duration } from 'aws-cdk-lib';
import { EventField, Rule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import type { CfnRule, EventPattern } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { HoldfastError } from '../model/errors.ts';
import type { DeployedPlan } from '../settings/deployed.ts';

export interface EventTriggersProps {
  readonly plans: readonly DeployedPlan[];
  readonly dispatch: IFunction;
  readonly undelivered: IQueue;
}

/** Events that start plans (P7). Dispatch makes one run of a burst; here every event is passed on. */
export class EventTriggers extends Construct {
  constructor(scope: Construct, id: string, { plans, dispatch, undelivered }: EventTriggersProps) {
    super(scope, id);
    for (const plan of plans) plan.events.forEach(({ pattern }, index) => this.#rule(plan.name, index, pattern, new LambdaFunction(dispatch, {
      event: RuleTargetInput.fromObject({ plan: plan.name, eventId: EventField.eventId, eventTime: EventField.time }),
      deadLetterQueue: undelivered,
      maxEventAge: Duration.hours(1),
      retryAttempts: 10,
    })));
  }

  #rule(plan: string, index: number, pattern: Readonly<Record<string, unknown>>, target: LambdaFunction): void {
    if (Object.keys(pattern).length === 0) throw new HoldfastError('config-invalid', `An event of plan ${plan} has an empty pattern, wanted at least a source: this one matches everything.`, { nextStep: `Say in holdfast.yaml which events start plan ${plan}.` });
    const rule = new Rule(this, `Plan ${plan} ${index + 1}`, { description: `Holdfast: starts plan ${plan}`, eventPattern: { source: ['replaced'] } as EventPattern, targets: [target] });
    // The pattern as it is written: the construct's own type knows fewer matchers than EventBridge.
    (rule.node.defaultChild as CfnRule).eventPattern = pattern;
  }
}
