import type { CommandContext } from '../command.ts';
import type { ExitCode } from '../exit-codes.ts';
import type { Colour } from '../output.ts';
import type { DoctorRow } from '../runtime.ts';
import { counted } from '../words.ts';

const COLOURS: Readonly<Record<DoctorRow['result'], Colour>> = { ok: 'green', warning: 'yellow', failed: 'red' };
const INDENT = ' '.repeat(9);

/** Rows come as they are found: the checks of a store across a network take seconds. */
export async function run({ runtime, options, output, surroundings }: CommandContext): Promise<ExitCode> {
  const onRow = (row: DoctorRow) => output.result({ type: 'doctor-check', ...row }, () => linesOf(row, (text) => output.paint(COLOURS[row.result], text)));
  const rows = await runtime.examineAll(options, { isProbing: options['probe'] !== false, signal: surroundings.signal, onRow });
  const count = (result: DoctorRow['result']) => rows.filter((row) => row.result === result).length;
  const [failed, warnings] = [count('failed'), count('warning')];
  output.result({ type: 'doctor', result: failed > 0 ? 'failed' : warnings > 0 ? 'warning' : 'ok', failed, warnings, ok: count('ok') }, () => verdict(failed, warnings, rows.length));
  return failed > 0 ? 1 : warnings > 0 ? 3 : 0;
}

function linesOf({ area, check, result, seen, nextStep }: DoctorRow, paint: (text: string) => string): string[] {
  return [
    `${paint(result.padEnd(INDENT.length - 2))}  ${area} ${check}: ${seen}`,
    ...(result === 'ok' || nextStep === undefined ? [] : [`${INDENT}${nextStep}`]),
  ];
}

function verdict(failed: number, warnings: number, all: number): string {
  if (failed > 0) return `${counted(failed, 'check')} of ${all} failed: do not rely on backups here before this is mended.`;
  return warnings > 0 ? `Usable, with ${counted(warnings, 'warning')}.` : `All ${all} checks passed.`;
}
