/** The replication slot of a plan that names none: `holdfast_orders`. A slot's name has small letters, digits and underscores. */
export function slotOf(planName: string): string {
  return `holdfast_${planName.toLowerCase().replace(/[^a-z0-9]/g, '_')}`.slice(0, 63);
}
