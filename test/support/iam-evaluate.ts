/**
 * A small evaluator of IAM policies, for templates: explicit deny wins, then an allow is needed. Knows what this project's
 * policies use and throws on anything else, so that a new condition cannot pass unseen.
 */
export interface Statement {
  readonly Sid?: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource?: string | readonly string[];
  readonly Principal?: '*' | Readonly<Record<string, string | readonly string[]>>;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface AccessRequest {
  readonly action: string;
  readonly resource: string;
  /** ARN of the role, or a service such as `events.amazonaws.com`. */
  readonly principal: string;
  /** Condition keys that the request carries, `aws:PrincipalArn` besides. */
  readonly context?: Readonly<Record<string, string>>;
}

export interface Policies {
  /** Attached to whoever asks. */
  readonly identity: readonly Statement[];
  /** Attached to what is asked for. */
  readonly resource?: readonly Statement[];
}

/** As AWS decides within one account: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html */
export function isAllowed(request: AccessRequest, { identity, resource = [] }: Policies): boolean {
  const matching = [...identity.filter((statement) => fits(statement, request)), ...resource.filter((statement) => fits(statement, request) && isFor(statement, request.principal))];
  if (matching.some(({ Effect }) => Effect === 'Deny')) return false;
  return matching.some(({ Effect }) => Effect === 'Allow');
}

function fits(statement: Statement, request: AccessRequest): boolean {
  // `*` in a key's own policy means that key.
  const resources = statement.Resource === undefined ? ['*'] : list(statement.Resource);
  return list(statement.Action).some((action) => like(request.action.toLowerCase(), action.toLowerCase())) && resources.some((resource) => like(request.resource, resource)) && holds(statement.Condition ?? {}, request);
}

function isFor({ Principal }: Statement, principal: string): boolean {
  if (Principal === undefined) return false;
  if (Principal === '*') return true;
  return Object.values(Principal).some((named) => list(named).some((one) => one === '*' || one === principal));
}

type Test = (seen: string | undefined, wanted: readonly string[]) => boolean;

const some = (seen: string | undefined, wanted: readonly string[], test: (seen: string, wanted: string) => boolean) => seen !== undefined && wanted.some((one) => test(seen, one));

/** Negated operators hold for a key that is absent, all others do not. */
const OPERATORS: Readonly<Record<string, Test>> = {
  StringEquals: (seen, wanted) => some(seen, wanted, (a, b) => a === b),
  StringNotEquals: (seen, wanted) => !some(seen, wanted, (a, b) => a === b),
  StringLike: (seen, wanted) => some(seen, wanted, like),
  ArnEquals: (seen, wanted) => some(seen, wanted, like),
  ArnLike: (seen, wanted) => some(seen, wanted, like),
  ArnNotEquals: (seen, wanted) => !some(seen, wanted, like),
  Bool: (seen, wanted) => some(seen, wanted, (a, b) => a === b),
  // Holds for a key that is absent as well: only for keys that every request has.
  'ForAllValues:StringLike': (seen, wanted) => seen === undefined || some(seen, wanted, like),
  Null: (seen, wanted) => wanted.includes(String(seen === undefined)),
};

function holds(condition: NonNullable<Statement['Condition']>, { principal, context = {} }: AccessRequest): boolean {
  const seen: Readonly<Record<string, string>> = { 'aws:PrincipalArn': principal, ...context };
  return Object.entries(condition).every(([operator, keys]) => {
    const test = OPERATORS[operator];
    if (test === undefined) throw new Error(`the evaluator does not know the condition operator ${operator}: teach it`);
    return Object.entries(keys).every(([key, wanted]) => test(seen[key], list(wanted)));
  });
}

/** `*` is any text, `?` one character. */
function like(text: string, pattern: string): boolean {
  return new RegExp(`^${pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(text);
}

function list(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}
