import { display } from '../../model/byte-string.ts';
import { HoldfastError, isHoldfastError } from '../../model/errors.ts';
import { CONFIG_NAME } from '../../repository/index.ts';
import type { DamagedObject } from '../../validation/verify.ts';
import type { CommandContext } from '../command.ts';
import { counted } from '../words.ts';

const ABOUT_OPENING = ['damaged', 'vault-not-found', 'wrong-key'] as const;

/** Work on a vault; when that does not open, what it is opened with is looked at piece by piece and told. The error follows. */
export async function tellingHead<T>(context: CommandContext, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isHoldfastError(error) && ABOUT_OPENING.some((code) => code === error.code)) await tellHead(context, error);
    throw error;
  }
}

async function tellHead(context: CommandContext, cause: HoldfastError): Promise<void> {
  const head = await context.runtime.examineVault(context.options).catch((error: unknown) => {
    if (isHoldfastError(error)) return undefined;
    throw error;
  });
  if (head === undefined || head.damage.length === 0) return;
  const { damage, rebuiltConfig } = head;
  context.output.result({ type: 'verify-head', damage: damage.map(damageJson), rebuiltConfig: rebuiltConfig ?? null }, () => damage.flatMap((object) => damageLines(context, object)));
  if (rebuiltConfig === undefined || cause.code === 'wrong-key') return;
  throw new HoldfastError('damaged', `${CONFIG_NAME} is missing or damaged; the key slots say what it should be.`, { nextStep: `Put it back from a copy of the vault, or write this line into it: ${JSON.stringify(rebuiltConfig)}`, cause });
}

export function damageJson(object: DamagedObject): object {
  const touched = object.touched.map((touch) => ({ ...touch, examples: touch.examples.map(display), ranges: touch.ranges.map(({ from, to }) => ({ from: display(from), to: to === undefined ? null : display(to) })) }));
  return { ...object, touched };
}

export function damageLines({ output }: CommandContext, { name, problems, lost, outlook, touched }: DamagedObject): string[] {
  const examples = touched.flatMap((touch) => touch.examples.map(display));
  return [
    `${output.paint('red', 'damaged')} ${name}: ${problems.join('; ')}`,
    `  lost: ${lost}`,
    ...(outlook === undefined ? [] : [`  healing: ${outlook}`]),
    ...touched.map(({ snapshot, entries }) => `  touches backup ${snapshot.slice(snapshot.lastIndexOf('/') + 1)}${entries > 0 ? `: ${counted(entries, 'entry', 'entries')}` : ''}`),
    ...examples.slice(0, 10).map((path) => `    ${path}`),
  ];
}
