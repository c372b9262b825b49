/** What a person runs who heals a vault of a stack by hand. */
export function repairCommand(stackName: string, vault: string): string {
  return `holdfast repair packs --aws ${stackName} --vault ${vault}`;
}
