import { editDistance } from '../config/closest-word.ts';

const SUGGESTED = 3;
const LISTED = 10;

/** What somebody may have meant who typed a name that is not known; all names when nothing is near. */
export function closestNames(typed: string, known: readonly string[]): string {
  const near = known
    .map((name) => ({ name, distance: name.startsWith(typed) ? 0 : editDistance(typed.toLowerCase(), name.toLowerCase()) }))
    .filter(({ name, distance }) => distance <= Math.ceil(name.length / 3))
    .sort((one, other) => one.distance - other.distance)
    .slice(0, SUGGESTED);
  if (near.length > 0) return `Did you mean ${near.map(({ name }) => name).join(' or ')}?`;
  if (known.length === 0) return 'There is none.';
  return `There are ${known.slice(0, LISTED).join(', ')}${known.length > LISTED ? ', ...' : ''}.`;
}
