import { readdirSync } from 'node:fs';
import { withClaim, type ClaimPorts } from '../../lib/stores/directory/claim.ts';
import { realFileOps, type FileOps } from '../../lib/stores/directory/file-ops.ts';
import { temporaryName, type Owner, type ProcessTable } from '../../lib/model/process-owner.ts';
import { expectCode } from '../contract/store.ts';
import { LeapingClock } from '../support/fake-clock.ts';
import { fileOpsWith } from '../support/file-ops.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const DEAD = 1;
const self: Owner = { machine: 'aa', boot: 'b1', namespace: 'n1', pid: 2, started: '1' };

describe('the claim on a name, where a file system has no hard links', () => {
  let folder: string;
  let names: number;
  beforeEach(() => {
    folder = temporaryFolder();
    names = 0;
  });

  function ports(pid: number, fileOps: FileOps = realFileOps): ClaimPorts {
    const processes: ProcessTable = { self: { ...self, pid }, startOf: (other) => (other === DEAD ? undefined : '1') };
    // The fake clock leaps, so waiting must not be what lets the others run.
    const clock = new LeapingClock();
    const sleep = async (milliseconds: number) => {
      await clock.sleep(milliseconds / 100);
      await new Promise((resolve) => setImmediate(resolve));
    };
    return { fileOps, processes, clock: { now: () => clock.now(), sleep }, newName: () => temporaryName(processes.self, Buffer.alloc(8, (names += 1))) };
  }

  async function plantDeadClaim(): Promise<void> {
    // A claim in its place, as a killed process leaves it: its removal fails as everything does after a kill.
    const fail = async () => {
      throw new Error('killed');
    };
    await withClaim(ports(DEAD, fileOpsWith({ unlink: fail })), folder, 'a', async () => {}).catch(() => undefined);
    expect(readdirSync(folder)).toHaveLength(1);
  }

  async function mostAtOnce(racers: number): Promise<number> {
    let inside = 0;
    let most = 0;
    const enter = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setTimeout(resolve, 3));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: racers }, (_, index) => withClaim(ports(10 + index), folder, 'a', enter)));
    return most;
  }

  it('is held by one at a time and leaves nothing behind', async () => {
    expect(await mostAtOnce(12)).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a dead process is broken at once, and given to one of those who broke it', async () => {
    await plantDeadClaim();
    expect(await mostAtOnce(12)).toBe(1);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is not taken from one who got it while a slow breaker still thought that its owner was dead', async () => {
    await plantDeadClaim();
    const order: string[] = [];
    let goOn = () => {};
    const seesStaleOwner = new Promise<void>((resolve) => (goOn = resolve));
    const slowBreaker = fileOpsWith({
      readFolder: async (path) => {
        const stale = await realFileOps.readFolder(path);
        await seesStaleOwner;
        return stale;
      },
    });
    const slow = withClaim(ports(20, slowBreaker), folder, 'a', async () => void order.push('slow'));
    await withClaim(ports(21), folder, 'a', async () => {
      goOn();
      await new Promise((resolve) => setTimeout(resolve, 20));
      order.push('quick');
    });
    await slow;
    expect(order).toEqual(['quick', 'slow']);
  });

  it('of a living process is waited for, for a while, then named in the error', async () => {
    const clock = new LeapingClock();
    await withClaim(ports(30), folder, 'a', async () => {
      await expectCode('unavailable', withClaim({ ...ports(31), clock }, folder, 'a', async () => {}));
    });
    expect(clock.sleeps.length).toBeGreaterThan(100);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('on one name does not keep others from their names', async () => {
    let both = false;
    await withClaim(ports(40), folder, 'a', () => withClaim(ports(41), folder, 'b', async () => void (both = true)));
    expect(both).toBe(true);
  });

  it('is given back when the action fails', async () => {
    await expect(withClaim(ports(50), folder, 'a', async () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('fails, instead of waiting for ever, where it may not write', async () => {
    const rename = async () => {
      throw Object.assign(new Error('denied'), { code: 'EACCES' });
    };
    await expect(withClaim(ports(60, fileOpsWith({ rename })), folder, 'a', async () => {})).rejects.toThrow('denied');
  });
});
