import { createHash, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { joinPaperLines, paperLines, parsePaper, parsePaperLine } from '../../../lib/keyring/recipient/paper.ts';
import { toValues } from '../../../lib/keyring/recipient/paper-code.ts';
import type { HoldfastError } from '../../../lib/model/errors.ts';

const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
const numbered = (lines: readonly string[]) => lines.map((line, index) => `  ${index + 1}:  ${line}`).join('\n');

describe('a secret on paper (K11)', () => {
  it('comes back from its five lines, whatever it is', () => {
    fc.assert(fc.property(seeds, (seed) => {
      expect(Buffer.from(parsePaper(numbered(paperLines(seed))))).toEqual(Buffer.from(seed));
    }), { numRuns: 300 });
  });

  it('is short and has no letters that are taken for others', () => {
    for (const line of paperLines(randomBytes(32))) expect(line).toMatch(/^[0-9A-HJKMNP-TV-Z]{4} [0-9A-HJKMNP-TV-Z]{4} [0-9A-HJKMNP-TV-Z]{4} [0-9A-HJKMNP-TV-Z]{2}$/);
  });

  it('may be typed in small letters, with hyphens, with o for 0 and l or i for 1, within its page', () => {
    const seed = Buffer.alloc(32, 0b10000100);
    const typed = numbered(paperLines(seed)).toLowerCase().replaceAll('0', 'o').replaceAll(/(?<!^ *)1(?!:)/gm, 'l').replaceAll(/(\w{4}) (\w{4})/g, '$1-$2');
    expect(typed).toMatch(/[ol]/);
    expect(parsePaper(`A PAGE\nwith words: 3 of them\n\n${typed}\n\nFingerprint: 12\n`)).toEqual(seed);
  });

  it('shows every single wrong letter at every place, with its line', () => {
    const lines = paperLines(randomBytes(32));
    let tried = 0;
    for (const [index, line] of lines.entries()) {
      for (const [at, right] of Array.from(line).entries()) {
        for (const wrong of right === ' ' ? [] : LETTERS.replace(right, '')) {
          tried++;
          expect(complaint(() => parsePaper(numbered(lines.with(index, line.slice(0, at) + wrong + line.slice(at + 1)))))).toMatch(new RegExp(`^Line ${index + 1} of the paper is not right: a letter in it is wrong`));
        }
      }
    }
    expect(tried).toBe(5 * 14 * 31);
  });

  it('shows every two letters of a line that changed places, neighbours or not, and every two wrong ones', () => {
    fc.assert(fc.property(seeds, fc.nat(4), fc.nat(13), fc.nat(13), fc.nat(31), fc.nat(31), (seed, index, left, right, first, second) => {
      const letters = Array.from((paperLines(seed)[index] as string).replaceAll(' ', ''));
      fc.pre(left !== right);
      const swapped = letters.with(left, letters[right] as string).with(right, letters[left] as string);
      if (letters[left] !== letters[right]) expect(complaint(() => parsePaperLine(index + 1, swapped.join('')))).toContain(`Line ${index + 1} of the paper`);
      const spoiled = letters.with(left, LETTERS.charAt(first)).with(right, LETTERS.charAt(second));
      if (spoiled.join('') !== letters.join('')) expect(complaint(() => parsePaperLine(index + 1, spoiled.join('')))).toContain(`Line ${index + 1} of the paper`);
    }), { numRuns: 2000 });
  });

  it('shows every neighbouring pair that changed places in one paper', () => {
    const lines = paperLines(randomBytes(32)).map((line) => line.replaceAll(' ', ''));
    for (const [index, line] of lines.entries()) {
      for (let at = 0; at < line.length - 1; at++) {
        const swapped = line.slice(0, at) + line.charAt(at + 1) + line.charAt(at) + line.slice(at + 2);
        if (swapped !== line) expect(complaint(() => parsePaperLine(index + 1, swapped))).toContain('two have changed places');
      }
    }
  });

  it('shows lines that changed places, are missing, there twice, too short, too long or hold a strange letter', () => {
    const lines = paperLines(randomBytes(32));
    const [first, second] = lines as [string, string];
    expect(complaint(() => parsePaper(numbered([second, first, ...lines.slice(2)])))).toMatch(/Line 1 .* Line 2 /);
    expect(complaint(() => parsePaper(numbered(lines.slice(0, 4))))).toBe('Line 5 of the paper is not right: it is missing.');
    expect(complaint(() => parsePaper(`${numbered(lines)}\n1: ${first}`))).toBe('Line 1 of the paper is not right: it is there twice.');
    expect(complaint(() => parsePaperLine(1, first.slice(1)))).toContain('it has 13 letters, wanted 14');
    expect(complaint(() => parsePaperLine(1, `${first}7`))).toContain('it has 15 letters, wanted 14');
    expect(complaint(() => parsePaperLine(4, `U${first.slice(1)}`))).toBe('Line 4 of the paper is not right: "U" is in it, wanted digits and letters without U.');
  });

  it('takes five lines without numbers in their order, and says how many it wants', () => {
    const seed = randomBytes(32);
    const lines = paperLines(seed);
    expect(parsePaper(`\n${lines.join('\n')}\n`)).toEqual(seed);
    expect(complaint(() => parsePaper(lines.toReversed().join('\n')))).toMatch(/Line 1 .* Line 2 /);
    expect(complaint(() => parsePaper(lines.slice(1).join('\n')))).toBe('No line begins with its number and a colon, and there are 4 lines, wanted 5.');
  });

  it('shows that a line comes from another paper', () => {
    const [mine, other] = [paperLines(randomBytes(32)), paperLines(randomBytes(32))];
    expect(complaint(() => parsePaper(numbered(mine.with(2, other[2] as string))))).toContain('they come from different papers');
  });

  it('says nothing of the secret in a complaint', () => {
    const lines = paperLines(randomBytes(32));
    const said = complaint(() => parsePaper(numbered(lines.map((line) => line.slice(0, -1)))));
    for (const group of lines.flatMap((line) => line.split(' ').slice(0, 3))) expect(said).not.toContain(group);
  });

  it('of a later version says so', () => {
    const seed = Buffer.alloc(32, 7);
    const check = createHash('sha256').update('holdfast/1 paper\0' + '2').update(seed).digest('hex').slice(0, 10);
    const values = toValues(`2${seed.toString('hex')}${check}`);
    const lines = Array.from({ length: 5 }, (_, index) => values.slice(index * 12, index * 12 + 12));
    expect(() => joinPaperLines(lines)).toThrow(expect.objectContaining({ code: 'unsupported-version', message: 'The paper has version 2; this Holdfast reads version 1.' }));
  });
});

function complaint(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    const { code, message } = error as HoldfastError;
    expect(code).toBe('wrong-key');
    return message;
  }
  throw new Error('It was taken for right.');
}
