import type { SeededRandom } from '../../simulation/dice.ts';

type Json = unknown;

const STRINGS = ['', ' ', '0', '..', '../../../etc/passwd', '/', 'packs/', '__proto__', 'constructor', 'a'.repeat(300), 'f'.repeat(32), 'zz', '\u0000', '\u001b[2J\u001b[H', '\ud800', '\u202egnp', 'é', '99999999999999999999', '-1', 'null', '2026-11-28T25:61:00Z', '2026-01-01T00:00:00.000Z', 'AAAA', '====', '01ARZ3NDEKTSV4RRFFQ69G5FAV'];
const SCALARS: readonly Json[] = [null, true, false, 0, -0, -1, 1, 1.5, 2, 255, 65_536, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, -(2 ** 53), 1e21, 1e300, -1e300, 5e-324, 8.64e15, 8.64e15 + 1];

/** One place in a value: the thing that holds it and the key that leads to it. */
interface Place {
  readonly holder: Record<string, Json>;
  readonly key: string;
}

type Change = (dice: SeededRandom, place: Place, all: readonly Place[]) => void;

const CHANGES: readonly Change[] = [
  (dice, { holder, key }) => void (holder[key] = dice.from(SCALARS)),
  (dice, { holder, key }) => void (holder[key] = dice.from(STRINGS)),
  (_, { holder, key }) => (Array.isArray(holder) ? void Array.prototype.splice.call(holder, Number(key), 1) : void delete holder[key]),
  (dice, { holder, key }, all) => {
    const other = dice.from(all);
    holder[key] = structuredClone(other.holder[other.key]);
  },
  (dice, { holder, key }) => void (holder[key] = dice.from<() => Json>([() => [], () => ({}), () => [holder[key]], () => ({ [key]: holder[key] })])()),
  (dice, { holder, key }) => void (holder[dice.from(STRINGS) || 'x'] = holder[key]),
  (dice, { holder, key }) => {
    const value = holder[key];
    if (Array.isArray(value) && value.length > 0) holder[key] = Array.from({ length: 2 ** dice.pick(10) }, (_, index) => value[index % value.length]);
    else if (typeof value === 'number') holder[key] = value + dice.from([1, -1, 0.5, 2 ** 32]);
    else if (typeof value === 'string') holder[key] = alteredText(dice, value);
  },
];

/** Text that JSON.parse takes and a schema may not expect, or that it should not take. */
const TEXT_CHANGES: readonly ((dice: SeededRandom, text: string) => string)[] = [
  (_, text) => `\ufeff${text}`,
  (dice, text) => `${'['.repeat(2 ** dice.pick(17))}${text}`,
  (dice, text) => {
    const depth = 2 ** dice.pick(15);
    return `${'{"a":'.repeat(depth)}${text}${'}'.repeat(depth)}`;
  },
  (_, text) => text.replace('{', '{"__proto__":{"format":1},'),
  (_, text) => text.replace(/(\d+)/, '$1e999'),
  (_, text) => text.replace(/"(\w+)":/, '"$1":1,"$1":'),
  (dice, text) => text.slice(0, dice.pick(text.length)),
  (dice, text) => ['null', '[]', '0', '""', 'true', '[null]', '{}', ''][dice.pick(8)] ?? text,
];

/** A few changes of a real value, as text. */
export function mutateJson(dice: SeededRandom, value: Json): string {
  const root = { root: structuredClone(value) };
  for (let left = 1 + dice.pick(3); left > 0; left--) {
    const all = placesIn(root);
    if (all.length > 0) dice.from(CHANGES)(dice, dice.from(all), all);
  }
  const text = JSON.stringify(root.root) ?? 'null';
  return dice.isOnceIn(12) ? dice.from(TEXT_CHANGES)(dice, text) : text;
}

function placesIn(value: Json, found: Place[] = []): Place[] {
  if (typeof value !== 'object' || value === null || found.length > 500) return found;
  const holder = value as Record<string, Json>;
  for (const key of Object.keys(holder).slice(0, 100)) {
    found.push({ holder, key });
    placesIn(holder[key], found);
  }
  return found;
}

function alteredText(dice: SeededRandom, text: string): string {
  const at = dice.pick(text.length + 1);
  return dice.from([() => text.slice(0, at), () => text + text, () => text.slice(0, at) + dice.from(STRINGS) + text.slice(at + 1), () => text.toUpperCase()])();
}
