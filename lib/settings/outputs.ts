import * as z from 'zod';
import { invalid } from './environment.ts';
import type { VaultPlaces } from './variables.ts';
import { VAULTS } from './variables.ts';

/** Names of the stack's outputs: what the command line needs to work with a deployed stack (`--aws STACK`). */
export const STACK_OUTPUTS = {
  table: 'HoldfastTable',
  vaults: 'HoldfastVaults',
  configUrl: 'HoldfastConfig',
  dispatch: 'HoldfastDispatch',
  restoreWorkflow: 'HoldfastRestoreWorkflow',
  topic: 'HoldfastTopic',
} as const;

export interface StackOutputs {
  readonly stackName: string;
  /** Name of the catalog's table. */
  readonly table: string;
  readonly vaults: VaultPlaces;
  /** `s3://bucket/key` of the deployed configuration. */
  readonly configUrl: string;
  /** Name of the dispatch function. */
  readonly dispatch: string;
  /** ARN of the state machine. */
  readonly restoreWorkflow: string;
  /** ARN. */
  readonly topic: string;
}

/** Fails as `config-invalid` naming what is missing: an older stack, or one that is not Holdfast's. */
export function readStackOutputs(stackName: string, outputs: Readonly<Record<string, string | undefined>>): StackOutputs {
  const problems: string[] = [];
  const text = (key: keyof typeof STACK_OUTPUTS): string => {
    const value = outputs[STACK_OUTPUTS[key]];
    if (value === undefined || value === '') problems.push(`The stack ${stackName} has no output ${STACK_OUTPUTS[key]}, wanted a stack that Holdfast deployed.`);
    return value ?? '';
  };
  const vaults = z.string().transform(parseJson).pipe(VAULTS.schema).safeParse(text('vaults'));
  if (!vaults.success && problems.length === 0) problems.push(`The output ${STACK_OUTPUTS.vaults} of the stack ${stackName} is not ${VAULTS.wanted}.`);
  const found = { stackName, table: text('table'), vaults: vaults.data ?? {}, configUrl: text('configUrl'), dispatch: text('dispatch'), restoreWorkflow: text('restoreWorkflow'), topic: text('topic') };
  if (problems.length > 0) throw invalid(problems);
  return found;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
