import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Explains in place why a rule of cdk-nag does not hold for a construct and all below it. */
export function acknowledge(construct: IConstruct, rule: string, reason: string): void {
  Validations.of(construct).acknowledge({ id: rule, reason });
}
