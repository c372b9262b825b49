import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { archiveWal } from '../../../lib/backup/wal/archive-wal.ts';
import { receiveWal } from '../../../lib/backup/wal/receive-wal.ts';
import type { ReceivePorts, WalStatus } from '../../../lib/backup/wal/receive-wal.ts';
import { WalShipper } from '../../../lib/backup/wal/ship-wal.ts';
import type { ShipPorts } from '../../../lib/backup/wal/ship-wal.ts';
import { WalSpool } from '../../../lib/backup/wal/spool.ts';
import { systemClock } from '../../../lib/model/clock.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import { listWal } from '../../../lib/repository/index.ts';
import { segmentName } from '../../../lib/sources/postgres/wal/lsn.ts';
import { MADE_SYSTEM, makeSegment } from '../../../scripts/vectors/made-wal.ts';
import { SMALL_PLAN } from '../../support/small-backup.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';
import { memoryVault } from '../../support/vault.ts';

const MIB = 1 << 20;
const FOREVER = new AbortController().signal;

/** A spool with a folder that pg_receivewal would write into, and the vault behind it. */
async function spoolAndVault(segmentBytes = MIB) {
  const { repository, store, clock } = memoryVault();
  const spool = new WalSpool(join(temporaryFolder(), 'spool'));
  const folder = await spool.folderFor(MADE_SYSTEM, 1);
  const name = (segment: number) => segmentName(1, segment, segmentBytes);
  const write = (segment: number, suffix = '') => writeFileSync(join(folder, `${name(segment)}${suffix}`), makeSegment({ name: name(segment), segmentBytes, records: [{ kind: 'filler', bytes: 20_000 }] }));
  const ports: ShipPorts = {
    spool,
    prove: async () => undefined,
    archive: (source, signal) => archiveWal({ repository, plan: SMALL_PLAN, clock, signal }, source),
    forget: async (names) => {
      for (const one of names) await store.remove(one);
    },
  };
  const kept = async () => (await listWal(store, SMALL_PLAN)).map(({ kind, name: one }) => `${kind} ${one}`).sort();
  return { spool, folder, name, write, ports, kept };
}

/** Segments over 32 MiB are read twice, and through a copy while they grow. */
const LARGE = 64 * MIB;

describe('what pg_receivewal has written (R4)', () => {
  it('leaves the spool when it is in the vault, and a beginning is taken away once the whole is there', async () => {
    const { folder, name, write, ports, kept } = await spoolAndVault();
    const shipper = new WalShipper(ports);
    write(3);
    write(4, '.partial');
    await shipper.ship(FOREVER, { withPartials: true, liveFolder: folder });
    expect(await kept()).toEqual([`partial ${name(4)}`, `segment ${name(3)}`]);
    expect(readdirSync(folder)).toEqual([`${name(4)}.partial`]);
    renameSync(join(folder, `${name(4)}.partial`), join(folder, name(4)));
    expect(await shipper.ship(FOREVER, { withPartials: false })).toMatchObject({ archivedFiles: 3, archivedLsn: BigInt(5 * MIB) });
    expect(await kept()).toEqual([`segment ${name(3)}`, `segment ${name(4)}`]);
  });

  it.each([MIB, LARGE])('is met again under its last name when a beginning (segments of %i bytes) got that before it was read', async (segmentBytes) => {
    const { spool, folder, name, write, ports, kept } = await spoolAndVault(segmentBytes);
    write(1, '.partial');
    spool.isEmpty = async (file) => {
      renameSync(file.path, join(folder, name(1)));
      return false;
    };
    const shipper = new WalShipper(ports);
    await shipper.ship(FOREVER, { withPartials: true, liveFolder: folder });
    expect(await kept()).toEqual([]);
    await shipper.ship(FOREVER, { withPartials: true, liveFolder: folder });
    expect(await kept()).toEqual([`segment ${name(1)}`]);
  });

  it('is copied where it may grow while it is read, and the copy goes away, also when archiving fails', async () => {
    const { spool, folder, write, ports, kept } = await spoolAndVault(LARGE);
    write(1, '.partial');
    const failing = new WalShipper({ ...ports, archive: async () => Promise.reject(new HoldfastError('unavailable', 'the store is away')) });
    await expect(failing.ship(FOREVER, { withPartials: true, liveFolder: folder })).rejects.toMatchObject({ code: 'unavailable' });
    expect(readdirSync(spool.root)).toEqual([MADE_SYSTEM]);
    await new WalShipper(ports).ship(FOREVER, { withPartials: true, liveFolder: folder });
    expect(await kept()).toHaveLength(1);
    expect(readdirSync(spool.root)).toEqual([MADE_SYSTEM]);
  });

  it('stays in the spool with words that name the place when that cannot be written', async () => {
    const { spool, folder, write, ports } = await spoolAndVault(LARGE);
    write(1, '.partial');
    mkdirSync(join(spool.root, 'partial.copy'));
    await expect(new WalShipper(ports).ship(FOREVER, { withPartials: true, liveFolder: folder })).rejects.toMatchObject({ code: 'permission', message: expect.stringContaining(spool.root), nextStep: expect.stringContaining('XDG_STATE_HOME') });
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('is refused a place below something that is no folder', async () => {
    const root = join(temporaryFolder(), 'file');
    writeFileSync(root, '');
    await expect(new WalSpool(root).folderFor(MADE_SYSTEM, 1)).rejects.toMatchObject({ code: 'permission', message: expect.stringMatching(/cannot be made \((ENOTDIR|EEXIST)\)/) });
    await expect(new WalSpool(join(root, 'below')).files()).rejects.toMatchObject({ code: 'permission', message: expect.stringMatching(/cannot be read \(ENOTDIR\)/) });
  });
});

describe('holdfast wal-receive, with a server that gives one segment after another (R4, S2)', () => {
  /** Writes a segment each time it is started, and ends badly `crashes` times. */
  async function receiving({ crashes = 0, ...more }: Partial<ReceivePorts> & { readonly crashes?: number }) {
    const made = await spoolAndVault();
    const stop = new AbortController();
    const statuses: WalStatus[] = [];
    const warnings: string[] = [];
    const notes: bigint[] = [];
    let starts = 0;
    const ports: ReceivePorts = {
      ...made.ports,
      clock: { now: systemClock.now, sleep: (_, signal) => systemClock.sleep(5, signal) },
      random: () => 0.5,
      identify: async () => server(9),
      receive: () => {
        made.write(3 + starts++);
        if (starts <= crashes) return { ended: Promise.resolve(new HoldfastError('source-failed', 'the server closed the connection', { retryable: true })), stop: async () => undefined };
        const { promise, resolve } = Promise.withResolvers<undefined>();
        return { ended: promise, stop: async () => resolve(undefined) };
      },
      confirmed: async () => BigInt(9 * MIB),
      resume: async () => undefined,
      note: async ({ lsn }) => `note ${notes.push(lsn)}`,
      onKeptUp: () => undefined,
      onStatus: (status) => void statuses.push(status),
      onWarning: ({ message }) => void warnings.push(message),
      ...more,
    };
    const done = receiveWal(ports, { partialEveryMs: 1, warnAfterMs: 60_000, noteEveryMs: 1, signal: stop.signal, lastMs: 50 });
    return { ...made, stop, statuses, warnings, notes, done };
  }

  const server = (mebibytes: number) => ({ systemId: MADE_SYSTEM, timeline: 1, lsn: BigInt(mebibytes * MIB), version: { major: 18, text: '18.0' } });

  const until = async (isSo: () => boolean | Promise<boolean>) => {
    while (!(await isSo())) await systemClock.sleep(5);
  };

  it('starts pg_receivewal again, keeps everything, and says how far the vault is behind once it has something', async () => {
    const { kept, stop, statuses, warnings, done } = await receiving({ crashes: 2 });
    await until(async () => (await kept()).length === 3 && statuses.some(({ archivedLsn }) => archivedLsn === BigInt(6 * MIB)));
    stop.abort();
    expect(await done).toMatchObject({ archivedFiles: 3 });
    expect(warnings).toEqual(['the server closed the connection', 'the server closed the connection']);
    for (const { archivedLsn, behindBytes } of statuses) expect(behindBytes).toBe(archivedLsn === undefined ? undefined : Number(BigInt(9 * MIB) - archivedLsn));
  });

  it('notes that everything is kept after it is, and not while the vault is away (R4)', async () => {
    let isAway = true;
    const { folder, name, stop, notes, warnings, done } = await receiving({ identify: async () => server(4), prove: async () => (isAway ? Promise.reject(new HoldfastError('unavailable', 'the store is away')) : undefined) });
    await until(() => warnings.length > 2);
    expect([notes, existsSync(join(folder, name(3)))]).toEqual([[], true]);
    isAway = false;
    await until(() => notes.length > 1);
    expect([notes[0], existsSync(join(folder, name(3)))]).toEqual([BigInt(4 * MIB), false]);
    stop.abort();
    await done;
  });

  it('notes nothing while the slot says that more was received than was archived: it may speak of a spool that is gone (R4)', async () => {
    const { stop, notes, statuses, done } = await receiving({ identify: async () => server(5) });
    await until(() => statuses.filter(({ archivedLsn }) => archivedLsn === BigInt(4 * MIB)).length > 5);
    expect(notes).toEqual([]);
    stop.abort();
    await done;
  });

  it('says what waits in the spool when the store does not answer until the end, and loses nothing', async () => {
    const away = (_: unknown, signal: AbortSignal) => new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));
    const { folder, spool, name, stop, done } = await receiving({ archive: away });
    await until(() => existsSync(join(folder, name(3))));
    stop.abort();
    await expect(done).rejects.toMatchObject({ name: 'HoldfastError', code: 'unavailable', message: `Not everything that was received could be kept within 0.05 s of stopping: 1 finished file waits in ${spool.root}.`, nextStep: expect.stringContaining('Start `holdfast wal-receive` again') });
    expect(existsSync(join(folder, name(3)))).toBe(true);
  });

  it('ends with the reason when other WAL is in the vault under the same name', async () => {
    const { done, folder, name } = await receiving({ archive: async () => Promise.reject(new HoldfastError('already-exists', 'the vault holds other bytes')) });
    await expect(done).rejects.toMatchObject({ code: 'already-exists' });
    expect(existsSync(join(folder, name(3)))).toBe(true);
  });

  it('waits while the vault is away and goes on by itself', async () => {
    let isAway = true;
    const { done, kept, stop, warnings } = await receiving({ prove: async () => (isAway ? Promise.reject(new HoldfastError('vault-not-found', 'No vault is there')) : undefined) });
    await until(() => warnings.length > 1);
    expect(await kept()).toEqual([]);
    isAway = false;
    await until(async () => (await kept()).length === 1);
    stop.abort();
    expect(await done).toMatchObject({ archivedFiles: 1 });
  });
});
