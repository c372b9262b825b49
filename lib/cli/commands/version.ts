import type { CommandContext } from '../command.ts';

export async function run({ surroundings, output }: CommandContext): Promise<0> {
  output.result({ type: 'version', version: surroundings.version, node: process.versions.node }, () => surroundings.version);
  return 0;
}
