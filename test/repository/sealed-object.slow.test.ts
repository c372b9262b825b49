import { sealObject, openObject, Subkeys, associatedData, headProblem, openJson, sealJson } from '../../lib/repository/index.ts';
import type { SealKind } from '../../lib/repository/index.ts';
import { open, seal } from '../../lib/repository/seal.ts';
import type { SealContext } from '../../lib/repository/seal.ts';
import type { RepositoryId } from '../../lib/model/ids.ts';
import { TEST_KEYS, testRepository } from '../support/run-backup.ts';

const { keys } = testRepository();
const NAME = 'snapshots/plan/one';
const PLAIN = Buffer.from('plain words, plain words, plain words');
const damaged = expect.objectContaining({ code: 'damaged' });

describe('seals (format §4)', () => {
  const context: SealContext = { repository: keys.repository, cipher: 'aes-256-gcm', keyNumber: 1, kind: 'snapshot', name: NAME };
  const key = keys.subkey('snapshot');

  it('open under exactly what they were bound to', () => {
    const unit = seal(key, PLAIN, context);
    expect(open(key, unit, associatedData(context), 'aes-256-gcm', 'test')).toEqual(PLAIN);
  });

  it.each<[string, Partial<SealContext>]>([
    ['another name', { name: 'snapshots/plan/two' }],
    ['no name', { name: '' }],
    ['another kind', { kind: 'partial' }],
    ['another repository', { repository: 'ff'.repeat(16) }],
    ['another key number', { keyNumber: 2 }],
    ['another cipher', { cipher: 'chacha20-poly1305' }],
    ['the next kind with a name moved over', { kind: 'snapshot', name: `${NAME}x` }],
  ])('are refused under %s', (_what, other) => {
    const unit = seal(key, PLAIN, context);
    expect(() => open(key, unit, associatedData({ ...context, ...other }), context.cipher, 'test')).toThrow(damaged);
  });

  it('are refused with any bit flipped, any end missing, or another key', () => {
    const unit = seal(key, PLAIN, context);
    for (let at = 0; at < unit.length; at++) {
      const flipped = Buffer.from(unit);
      flipped[at] = (flipped[at] as number) ^ 0x10;
      expect(() => open(key, flipped, associatedData(context), 'aes-256-gcm', 'test')).toThrow(damaged);
      expect(() => open(key, unit.subarray(0, at), associatedData(context), 'aes-256-gcm', 'test')).toThrow(damaged);
    }
    expect(() => open(keys.subkey('verdict'), unit, associatedData(context), 'aes-256-gcm', 'test')).toThrow(damaged);
  });

  it('of one plaintext never share a key, though chance repeats itself for another plaintext', () => {
    const stuck = () => new Uint8Array(32);
    const [one, two] = [seal(key, PLAIN, context, stuck), seal(key, Buffer.from('other words'), context, stuck)];
    expect(one.subarray(0, 32).equals(two.subarray(0, 32))).toBe(false);
    expect(seal(key, PLAIN, context).equals(seal(key, PLAIN, context))).toBe(false);
  });
});

describe('sealed objects', () => {
  const object = sealObject(keys, 'snapshot', NAME, PLAIN, 'aes-256-gcm');

  it.each(['aes-256-gcm', 'chacha20-poly1305'] as const)('come back, sealed by %s, empty and large ones too', (cipher) => {
    for (const plain of [PLAIN, Buffer.alloc(0), Buffer.alloc(300_000, 'x')]) {
      expect(Buffer.from(openObject(keys, 'snapshot', NAME, sealObject(keys, 'snapshot', NAME, plain, cipher))).equals(plain)).toBe(true);
    }
  });

  it.each<[string, SealKind, string, Subkeys]>([
    ['another place', 'snapshot', 'snapshots/plan/two', keys],
    ['another kind', 'index', NAME, keys],
    ['another repository', 'snapshot', NAME, new Subkeys('ee'.repeat(16) as RepositoryId, TEST_KEYS)],
  ])('are damaged at %s', (_what, kind, name, by) => {
    expect(() => openObject(by, kind, name, object)).toThrow(damaged);
  });

  it('every flipped bit is damaged, but in the reserved bytes, which verify tells', () => {
    const silent: number[] = [];
    for (let at = 0; at < object.length; at++) {
      const flipped = Buffer.from(object);
      flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
      try {
        expect(Buffer.from(openObject(keys, 'snapshot', NAME, flipped)).equals(PLAIN)).toBe(true);
        expect(headProblem(flipped)).toBeDefined();
        silent.push(at);
      } catch (error) {
        expect(error).toMatchObject({ code: 'damaged' });
      }
    }
    expect(silent).toEqual([6, 7]);
    expect(headProblem(object)).toBeUndefined();
  });

  it('of a key that was not given asks for it, and of a newer format for a newer program', () => {
    const rotated = new Subkeys(keys.repository, { ...TEST_KEYS, pairs: [...TEST_KEYS.pairs, { number: 2, meta: new Uint8Array(32).fill(9), data: new Uint8Array(32).fill(8) }] });
    const byNewKey = sealObject(rotated, 'snapshot', NAME, PLAIN, 'aes-256-gcm');
    expect(() => openObject(keys, 'snapshot', NAME, byNewKey)).toThrow(expect.objectContaining({ code: 'wrong-key' }));
    expect(Buffer.from(openObject(rotated, 'snapshot', NAME, object)).equals(PLAIN)).toBe(true);
    const newer = Buffer.from(byNewKey);
    newer[4] = 2;
    newer[20] = 0;
    expect(() => openObject(keys, 'snapshot', NAME, newer)).toThrow(expect.objectContaining({ code: 'unsupported-version' }));
  });

  it.each(['[],', '{},', '1,'])('of a few KiB that unfold to millions of values (%s) are refused before they are parsed', (value) => {
    const bomb = sealObject(keys, 'verdict', 'verdicts/a/b', Buffer.concat([Buffer.from('['), Buffer.alloc(32 << 20, value), Buffer.from('0]')]), 'aes-256-gcm');
    expect(bomb.length).toBeLessThan(16 << 10);
    expect(() => openJson(keys, 'verdict', 'verdicts/a/b', bomb)).toThrow(expect.objectContaining({ code: 'damaged', message: expect.stringContaining('8388608 values') }));
  });

  it('never show the JSON that they hold', () => {
    expect(sealJson(keys, 'plan', 'plans/x', { secret: 'SECRET' }, 'aes-256-gcm').includes('SECRET')).toBe(false);
  });
});
