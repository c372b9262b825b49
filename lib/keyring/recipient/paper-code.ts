/**
 * How a secret stands on paper (format §3): letters that nobody confuses, and check characters by which a slip of the
 * pen is found, with its line.
 *
 * A line is 12 characters and 2 check characters over the field of 32 elements, x^5 + x^2 + 1. With the number of the line
 * as s0, its characters as s1 to s12 and the checks as s13, s14: the sum of all s[i] is 0, and so is that of all s[i]·2^i.
 * That is a Reed-Solomon code of distance 3: whatever changes one or two characters is found with certainty, so a wrong
 * one, two that changed places, and lines that changed places.
 */
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
/** As Crockford's base32 reads them: https://www.crockford.com/base32.html */
const READ_AS: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1' };
const FIELD = 0b100101;
const FIRST_CHECK = 13;

/** Hexadecimal digits as values from 0 to 31: five bits each, from the first bit on. Four values hold five digits. */
export function toValues(digits: string): number[] {
  const bits = Array.from(digits).map((digit) => Number.parseInt(digit, 16).toString(2).padStart(4, '0')).join('');
  return Array.from({ length: bits.length / 5 }, (_, index) => Number.parseInt(bits.slice(index * 5, index * 5 + 5), 2));
}

export function fromValues(values: readonly number[]): string {
  const bits = values.map((value) => value.toString(2).padStart(5, '0')).join('');
  return Array.from({ length: bits.length / 4 }, (_, index) => Number.parseInt(bits.slice(index * 4, index * 4 + 4), 2).toString(16)).join('');
}

export function lettersOf(values: readonly number[]): string {
  return values.map((value) => LETTERS.charAt(value)).join('');
}

/** The value of a letter as a person wrote it; undefined when it is none. */
export function valueOf(letter: string): number | undefined {
  const upper = letter.toUpperCase();
  const value = LETTERS.indexOf(READ_AS[upper] ?? upper);
  return value < 0 ? undefined : value;
}

/** The two check values of a line. `line` is its number from 1 on, `values` its 12 values. */
export function checksOf(line: number, values: readonly number[]): readonly [number, number] {
  const { sum, weighted } = syndromes([line, ...values]);
  // From c1 + c2 = sum and c1·2^13 + c2·2^14 = weighted; 2^13 + 2^14 is 2^13 · 3.
  const second = times(weighted ^ times(sum, power(FIRST_CHECK)), inverse(times(3, power(FIRST_CHECK))));
  return [sum ^ second, second];
}

/** Whether a line with its checks is as it was written. */
export function isWhole(line: number, values: readonly number[]): boolean {
  const { sum, weighted } = syndromes([line, ...values]);
  return sum === 0 && weighted === 0;
}

function syndromes(values: readonly number[]): { readonly sum: number; readonly weighted: number } {
  let [sum, weighted] = [0, 0];
  for (const [index, value] of values.entries()) {
    sum ^= value;
    weighted ^= times(value, power(index));
  }
  return { sum, weighted };
}

function times(left: number, right: number): number {
  let product = 0;
  for (let bit = 4; bit >= 0; bit--) {
    product <<= 1;
    if (product & 32) product ^= FIELD;
    if ((right >> bit) & 1) product ^= left;
  }
  return product;
}

function power(exponent: number): number {
  let result = 1;
  for (let step = 0; step < exponent; step++) result = times(result, 2);
  return result;
}

/** Every element but 0 to the 31st is 1. */
function inverse(value: number): number {
  let result = 1;
  for (let step = 0; step < 30; step++) result = times(result, value);
  return result;
}
