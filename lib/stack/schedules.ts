import { Stack } from 'aws-cdk-lib';
import { PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import { CfnSchedule, CfnScheduleGroup } from 'aws-cdk-lib/aws-scheduler';
import type { IQueue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import type { DeployedPlan } from '../settings/deployed.ts';
import { schedulerExpressions } from './scheduler-expression.ts';

export interface SchedulesProps {
  readonly plans: readonly DeployedPlan[];
  readonly dispatch: IFunction;
  /** Takes the times that could not be delivered; the monitor starts what was missed all the same. */
  readonly undelivered: IQueue;
}

/** The schedules that holdfast.yaml declares, in the group `<stack>-declared`. Each starts dispatch with its plan's name. */
export class Schedules extends Construct {
  constructor(scope: Construct, id: string, { plans, dispatch, undelivered }: SchedulesProps) {
    super(scope, id);
    const group = new CfnScheduleGroup(this, 'Group', { name: `${Stack.of(this).stackName}-declared` });
    const role = this.#role(group, dispatch, undelivered);
    for (const plan of plans) {
      const { schedule } = plan;
      if (schedule === undefined) continue;
      schedulerExpressions(schedule).forEach((expression, index) => {
        const made = new CfnSchedule(this, index === 0 ? `Plan ${plan.name}` : `Plan ${plan.name} ${index + 1}`, {
          description: `Holdfast: plan ${plan.name}, ${schedule.cron} and ${schedule.offsetMinutes} minutes`,
          groupName: group.ref,
          scheduleExpression: expression,
          scheduleExpressionTimezone: schedule.timeZone,
          flexibleTimeWindow: { mode: 'OFF' },
          target: { ...target(plan.name, dispatch, undelivered), roleArn: role.roleArn },
        });
        made.node.addDependency(role);
      });
    }
  }

  #role(group: CfnScheduleGroup, dispatch: IFunction, undelivered: IQueue): Role {
    const role = new Role(this, 'Role', {
      description: 'Holdfast: schedules start dispatch',
      assumedBy: new ServicePrincipal('scheduler.amazonaws.com', { conditions: { StringEquals: { 'aws:SourceAccount': Stack.of(this).account, 'aws:SourceArn': group.attrArn } } }),
    });
    role.addToPolicy(new PolicyStatement({ actions: ['lambda:InvokeFunction'], resources: [dispatch.functionArn] }));
    role.addToPolicy(new PolicyStatement({ actions: ['sqs:SendMessage'], resources: [undelivered.queueArn] }));
    return role;
  }
}

function target(plan: string, dispatch: IFunction, undelivered: IQueue): Omit<CfnSchedule.TargetProperty, 'roleArn'> {
  return {
    arn: dispatch.functionArn,
    input: JSON.stringify({ plan, scheduledTime: '<aws.scheduler.scheduled-time>' }),
    retryPolicy: { maximumEventAgeInSeconds: 3600, maximumRetryAttempts: 10 },
    deadLetterConfig: { arn: undelivered.queueArn },
  };
}
