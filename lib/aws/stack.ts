import { CloudFormationClient } from '@aws-sdk/client-cloudformation';
import { LambdaClient } from '@aws-sdk/client-lambda';
import type { SFNClient } from '@aws-sdk/client-sfn';
import type { Catalog } from '../catalog/catalog.ts';
import type { RunLedger } from '../catalog/run-ledger.ts';
import type { Clock } from '../model/clock.ts';
import type { StackOutputs } from '../settings/outputs.ts';
import { dynamoClient, kmsClient, s3Client, stepFunctionsClient } from './clients.ts';
import { findStack } from './find-stack.ts';
import { openCatalog, openLedger } from './open-catalog.ts';
import type { VaultClients } from './stack-vault.ts';

/** A deployed stack, reached with the caller's own credentials. */
export interface Stack {
  readonly outputs: StackOutputs;
  readonly clients: VaultClients;
  readonly catalog: Catalog;
  readonly ledger: RunLedger;
  readonly lambda: () => LambdaClient;
  readonly workflows: () => SFNClient;
}

/** Fails as `findStack` does. */
export async function openStack(stackName: string, clock: Clock): Promise<Stack> {
  const outputs = await findStack(new CloudFormationClient(), stackName);
  const dynamo = dynamoClient({ maxAttempts: 1 });
  return {
    outputs,
    clients: { s3: s3Client({ maxAttempts: 1 }), kms: kmsClient(), clock },
    catalog: openCatalog(dynamo, outputs.table),
    ledger: openLedger(dynamo, outputs.table),
    lambda: () => new LambdaClient(),
    workflows: () => stepFunctionsClient(),
  };
}
