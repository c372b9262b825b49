import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Keys of conditions that the emulator does not know: it would see them as absent in every request. */
const UNKNOWN: readonly RegExp[] = [/^s3:if-none-match$/, /^kms:EncryptionContext:/, /^kms:ViaService$/, /^dynamodb:LeadingKeys$/, /^ecs:cluster$/, /^ecs:CreateAction$/, /^iam:PassedToService$/, /^aws:SourceArn$/, /^aws:SourceAccount$/];

interface Statement {
  Sid?: string;
  Effect: 'Allow' | 'Deny';
  Action?: unknown;
  Resource?: unknown;
  Condition?: Record<string, Record<string, unknown>>;
}

/**
 * Takes out of the synthesized templates what the emulator cannot evaluate, so that the rest can be enforced: of an Allow
 * the condition, of a Deny the statement. Answers what was taken, one line each; tests on the template cover it.
 */
export function dropUncheckedConditions(cloudAssembly: string): string[] {
  const dropped = new Map<string, number>();
  const note = (line: string) => void dropped.set(line, (dropped.get(line) ?? 0) + 1);
  for (const file of readdirSync(cloudAssembly).filter((name) => name.endsWith('.template.json'))) {
    const path = join(cloudAssembly, file);
    const template: unknown = JSON.parse(readFileSync(path, 'utf8'));
    clean(template, note);
    writeFileSync(path, JSON.stringify(template));
  }
  return [...dropped].map(([line, times]) => `${line}${times === 1 ? '' : ` (${times} times)`}`);
}

function clean(value: unknown, note: (line: string) => void): void {
  if (value === null || typeof value !== 'object') return;
  const statements = (value as { Statement?: unknown }).Statement;
  if (Array.isArray(statements)) (value as { Statement: Statement[] }).Statement = (statements as Statement[]).filter((statement) => keep(statement, note));
  for (const inner of Object.values(value)) clean(inner, note);
}

function keep(statement: Statement, note: (line: string) => void): boolean {
  // The request names a token and nothing else; AWS finds the state machine by it, the emulator sees no resource.
  if (statement.Effect === 'Allow' && [statement.Action].flat().every((action) => String(action).startsWith('states:SendTask'))) {
    note('resource of states:SendTask');
    statement.Resource = '*';
  }
  for (const [operator, keys] of Object.entries(statement.Condition ?? {})) {
    for (const key of Object.keys(keys).filter((name) => UNKNOWN.some((unknown) => unknown.test(name)))) {
      note(`${statement.Effect} with ${operator} ${key}`);
      if (statement.Effect === 'Deny') return false;
      // It judges what is done in a cluster by the cluster's ARN, not by that of the task or its definition.
      if (key === 'ecs:cluster') statement.Resource = keys[key];
      delete keys[key];
    }
    if (Object.keys(keys).length === 0) delete statement.Condition?.[operator];
  }
  if (statement.Condition && Object.keys(statement.Condition).length === 0) delete statement.Condition;
  return true;
}
