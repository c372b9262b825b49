import fc from 'fast-check';
import { DAY, coverageState, daysAtThisPace, planCoverage, unreadSince } from '../../lib/validation/coverage-clock.ts';
import type { ClockedPack } from '../../lib/validation/coverage-clock.ts';

const START = 20_000 * DAY;
const HOUR = DAY / 24;
const packNamed = (number: number) => `packs/hot/w/aa/${number.toString(16).padStart(32, '0')}`;
const idOf = (name: string) => name.slice(-32);

/** A vault on a calendar: packs come and go, runs read as much as they may. */
class Vault {
  readonly packs = new Map<string, ClockedPack>();
  readonly readAt = new Map<string, number>();
  readonly runs: number[] = [];
  now = START;
  #next = 1;

  store(size: number, storedAt = this.now): void {
    const name = packNamed(this.#next++);
    this.packs.set(name, { name, size, storedAt });
  }

  plan(withinDays: number) {
    return planCoverage([...this.packs.values()], this, { now: this.now, withinDays });
  }

  /** Reads in the order of the plan; a run with a budget reads one pack at least. */
  run(withinDays: number, budget = Infinity): number {
    let bytes = 0;
    for (const { name, size } of this.plan(withinDays).due) {
      if (bytes > 0 && bytes + size > budget) break;
      bytes += size;
      this.readAt.set(idOf(name), Math.floor(this.now / 60_000) * 60_000);
    }
    this.runs.push(this.now);
    return bytes;
  }

  state(withinDays: number) {
    return coverageState([...this.packs.values()], this, { now: this.now, withinDays });
  }

  oldestDays(): number {
    return Math.max(0, ...[...this.packs.values()].map((pack) => this.now - unreadSince(pack, this))) / DAY;
  }
}

const day = fc.record({ stored: fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 4 }), removed: fc.integer({ min: 0, max: 3 }), lateHours: fc.integer({ min: 0, max: 9 }) });

describe('which packs a run of the coverage clock reads (V2)', () => {
  test('run every day, a few hours late or not, it reads every pack within the days, whatever comes and goes', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.integer({ min: 1, max: 20 }), { maxLength: 30 }), fc.array(day, { minLength: 45, maxLength: 90 }), (withinDays, first, days) => {
      const vault = new Vault();
      for (const size of first) vault.store(size);
      let oldest = 0;
      let overdue = 0;
      for (const [index, { stored, removed, lateHours }] of days.entries()) {
        vault.now = START + index * DAY + lateHours * HOUR;
        oldest = Math.max(oldest, vault.oldestDays());
        for (const size of stored) vault.store(size);
        for (const name of [...vault.packs.keys()].slice(0, removed)) vault.packs.delete(name);
        vault.run(withinDays);
        overdue += vault.state(withinDays).overdue?.packs ?? 0;
      }
      // A run that is late by an hour cannot keep a single day: then everything is read each time.
      if (withinDays > 1) expect(oldest).toBeLessThanOrEqual(withinDays);
      expect(overdue).toBe(0);
    }), { numRuns: 50 });
  });

  test('run every few days it reads more each time, and keeps the days as well', () => {
    fc.assert(fc.property(fc.integer({ min: 2, max: 8 }), fc.integer({ min: 2, max: 6 }), (everyDays, factor) => {
      const vault = new Vault();
      for (let index = 0; index < 100; index++) vault.store(10);
      let oldest = 0;
      for (let run = 0; run < 5 * factor; run++, vault.now += everyDays * DAY) {
        if (run > 1) oldest = Math.max(oldest, vault.oldestDays());
        vault.run(everyDays * factor);
      }
      expect(oldest).toBeLessThanOrEqual(everyDays * factor);
    }), { numRuns: 30 });
  });

  test('under any budget, and killed at any moment, it goes on until every pack was read', () => {
    fc.assert(fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 60 }), fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1, max: 30 }), (sizes, budget, withinDays) => {
      const vault = new Vault();
      for (const size of sizes) vault.store(size, START - 100 * DAY);
      for (let run = 0; run < sizes.length; run++, vault.now += DAY) vault.run(withinDays, budget);
      const fresh = [...vault.packs.values()].filter((pack) => unreadSince(pack, vault) >= START).length;
      expect(fresh).toBe(sizes.length);
    }));
  });

  test('a vault that is larger than the budget rotates: no pack is read twice before all others were read once', () => {
    const vault = new Vault();
    for (let index = 0; index < 50; index++) vault.store(10, START - index * HOUR);
    for (let run = 0; run < 40; run++, vault.now += DAY) {
      vault.run(4, 30);
      const since = [...vault.packs.values()].map((pack) => unreadSince(pack, vault)).sort((a, b) => a - b);
      if (run >= 17) expect((vault.now - since[0]!) / DAY).toBeLessThanOrEqual(Math.ceil(50 / 3));
    }
    expect(daysAtThisPace({ ...vault.plan(4), recentBytes: 0 }, 30)).toBeCloseTo(500 / 30);
  });

  test('the order of what comes in changes nothing', () => {
    fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 40 }), fc.option(fc.integer({ min: 0, max: 40 }))), { maxLength: 40 }), fc.integer(), (rows, seed) => {
      const packs = rows.map(([size, age], index) => ({ name: packNamed(index), size, storedAt: START - age * DAY }));
      const readAt = new Map(rows.flatMap(([, , read], index) => (read === null ? [] : [[idOf(packNamed(index)), START - read * DAY] as const])));
      const mixed = packs.map((pack, index) => ({ pack, key: Math.imul(index + 1, seed | 1) })).sort((a, b) => a.key - b.key).map(({ pack }) => pack);
      const facts = { readAt, runs: [START - 2 * DAY, START - DAY] };
      const asked = { now: START, withinDays: 30 };
      expect(planCoverage(mixed, facts, asked)).toEqual(planCoverage(packs, facts, asked));
      expect(coverageState(mixed, facts, asked)).toEqual(coverageState(packs, facts, asked));
    }));
  });

  test('the work is even: of a vault that came in one day about a thirtieth is read each day', () => {
    const vault = new Vault();
    for (let index = 0; index < 300; index++) vault.store(10);
    const bytes: number[] = [];
    for (let run = 0; run < 90; run++, vault.now += DAY) bytes.push(vault.run(30));
    // On the first day everything is fresh.
    expect(bytes[0]).toBe(0);
    expect(Math.min(...bytes.slice(1))).toBeGreaterThanOrEqual(100);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(120);
  });

  test('run every hour it reads no more in a day than run once', () => {
    const vault = new Vault();
    for (let index = 0; index < 300; index++) vault.store(10);
    vault.now += 3 * DAY;
    let bytes = 0;
    for (let run = 0; run < 240; run++, vault.now += HOUR) bytes += vault.run(30);
    expect(bytes).toBeGreaterThanOrEqual(1000);
    expect(bytes).toBeLessThanOrEqual(1300);
    expect(vault.state(30).overdue?.packs).toBe(0);
  });

  test('what reads new backups back does not take the place of what is old', () => {
    const vault = new Vault();
    for (let index = 0; index < 300; index++) vault.store(10);
    for (let run = 0; run < 60; run++, vault.now += DAY) {
      vault.store(200);
      for (const { name, storedAt } of vault.packs.values()) if (storedAt === vault.now) vault.readAt.set(idOf(name), vault.now);
      vault.run(30);
      expect(vault.oldestDays()).toBeLessThan(30);
    }
  });

  test('one long pause does not make every later run read everything', () => {
    const vault = new Vault();
    for (let index = 0; index < 300; index++) vault.store(10);
    for (let run = 0; run < 5; run++, vault.now += DAY) vault.run(30);
    vault.now += 8 * DAY;
    vault.run(30);
    vault.now += DAY;
    expect(vault.run(30)).toBeLessThanOrEqual(200);
  });

  test('a pack that was stored after it was read lies somewhere else than what was read: it counts from its storing', () => {
    const name = packNamed(7);
    const packs = [{ name, size: 5, storedAt: START }];
    const facts = { readAt: new Map([[idOf(name), START - DAY]]) };
    expect(coverageState(packs, facts, { now: START + 2 * DAY, withinDays: 1 })).toMatchObject({ unread: { packs: 1, bytes: 5 }, overdue: { packs: 1, bytes: 5 }, oldest: { days: 2 } });
    facts.readAt.set(idOf(name), START + DAY);
    expect(coverageState(packs, facts, { now: START + 2 * DAY, withinDays: 1 })).toMatchObject({ unread: { packs: 0 }, overdue: { packs: 0 }, oldest: { days: 1 } });
  });

  test('an empty vault has nothing to read and nothing overdue', () => {
    expect(planCoverage([], { readAt: new Map(), runs: [] }, { now: START, withinDays: 30 }).due).toEqual([]);
    expect(coverageState([], { readAt: new Map() }, { now: START, withinDays: 30 })).toMatchObject({ packs: 0, oldest: undefined, overdue: { packs: 0 } });
  });
});
