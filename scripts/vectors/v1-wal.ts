import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createKeyFile } from '../../lib/keyring/key-file.ts';
import { createSlots, rotate, writeSlots } from '../../lib/keyring/slots.ts';
import { newHexId, newUlid } from '../../lib/model/ids.ts';
import type { PlanId } from '../../lib/model/ids.ts';
import { openRepository, putWal, sealObject, sealWalPart, sha256, walObjectName, writeConfig } from '../../lib/repository/index.ts';
import type { CipherName, NewWalFile, Repository, VaultKeys, WalPart } from '../../lib/repository/index.ts';
import { openDirectoryStore } from '../../lib/stores/directory-store.ts';
import { MADE_SYSTEM, makeSegment } from './made-wal.ts';
import type { MustFail } from './must-fail.ts';
import { smallConfig } from './vector-backup.ts';

/** A row of `expected.json`: a file of WAL, and what its objects open to. */
export interface ExpectedWal {
  readonly names: readonly string[];
  readonly kind: string;
  readonly cipher: CipherName;
  readonly keyNumber: number;
  readonly segmentBytes: number;
  readonly sizeBytes: number;
  readonly sha256: string;
}

const MIB = 1 << 20;
const plan = newHexId<PlanId>();
const NOON = Date.UTC(2026, 10, 28, 12);
const place = { plan, systemId: MADE_SYSTEM };
const segment = { ...place, kind: 'segment', timeline: 1, segmentBytes: MIB } as const;

/** The third set: each kind of WAL object, in one part and in several. */
export async function makeWal(target: string): Promise<void> {
  const store = openDirectoryStore(join(target, 'vault'));
  const config = smallConfig();
  mkdirSync(target, { recursive: true });
  const wrapper = await createKeyFile(join(target, 'holdfast.key'));
  const first = await createSlots(config.repository, [wrapper]);
  await writeSlots(store, first.slots);
  await writeConfig(store, config);
  const second = await rotate(config.repository, first.keys, [wrapper]);
  await writeSlots(store, second.slots);
  const sealing = (keys: VaultKeys, cipher: CipherName) => openRepository(store, config, keys, { cipher });
  const [old, aes, chacha] = [sealing(first.keys, 'aes-256-gcm'), sealing(second.keys, 'aes-256-gcm'), sealing(second.keys, 'chacha20-poly1305')];

  const one = makeSegment({ name: '000000010000000000000003', records: [{ kind: 'commit', at: NOON }, { kind: 'filler', bytes: 9000 }, { kind: 'switch' }] });
  const two = makeSegment({ name: '000000010000000000000004', records: [{ kind: 'commit', at: NOON + 1000 }] });
  const big = makeSegment({ name: '000000010000000000000002', segmentBytes: 64 * MIB, records: [{ kind: 'commit', at: NOON - 1000 }], systemId: '7400000000000000002' });
  big.write('the second part', 40 * MIB);
  const rows = [
    await keep(old, { ...segment, name: '000000010000000000000003' }, one),
    await keep(chacha, { ...segment, name: '000000010000000000000004' }, two),
    await keep(aes, { ...segment, kind: 'partial', name: '000000010000000000000005', partial: { bytes: 8192, id: newUlid(NOON) } }, makeSegment({ name: '000000010000000000000005' }).subarray(0, 8192)),
    await keep(aes, { ...segment, kind: 'history', name: '00000002.history', timeline: 2, segmentBytes: 0 }, Buffer.from('1\t0/5000000\tno recovery target specified\n')),
    await keep(aes, { ...segment, kind: 'label', name: '000000010000000000000003.00000028.backup', segmentBytes: 0 }, Buffer.from('START WAL LOCATION: 0/300028 (file 000000010000000000000003)\n')),
    await keep(aes, { ...segment, systemId: '7400000000000000002', name: '000000010000000000000002', segmentBytes: 64 * MIB }, big),
  ];
  writeFileSync(join(target, 'expected.json'), `${JSON.stringify({ repository: config.repository, backups: [], wal: rows }, null, 1)}\n`);
  writeFileSync(join(target, 'must-fail.json'), `[\n${(await mustFail(aes, rows, one)).map((row) => JSON.stringify(row)).join(',\n')}\n]\n`);
}

async function keep(repository: Repository, file: NewWalFile, bytes: Buffer): Promise<ExpectedWal> {
  const { names, sha256: digest } = await putWal(repository, file, { sizeBytes: bytes.length, read: async (offset, length) => bytes.subarray(offset, offset + length) });
  return { names, kind: file.kind, cipher: repository.cipher, keyNumber: repository.keys.current, segmentBytes: file.segmentBytes, sizeBytes: bytes.length, sha256: digest };
}

/** What who can write into the store can do without a key, and what somebody does who has it and lies. */
async function mustFail(repository: Repository, rows: readonly ExpectedWal[], content: Buffer): Promise<MustFail[]> {
  const [one = '', two = '', partial = ''] = rows.map(({ names }) => names[0] ?? '');
  const [first = '', second = ''] = rows.at(-1)?.names ?? [];
  const whole: WalPart = { kind: 'segment', segmentBytes: MIB, sizeBytes: MIB, sha256: sha256(content), offset: 0, bytes: content };
  const forged = async (object: string, part: Partial<WalPart>) => [{ object, bytes: (await sealWalPart(repository, object, { ...whole, ...part })).toString('base64') }];
  const half = content.subarray(0, MIB / 2);
  const elsewhere = walObjectName({ ...place, name: '000000010000000000000009', timeline: 1, part: 1, parts: 1 });
  return [
    { title: 'a segment with one flipped bit', patches: [{ object: one, flip: 200 }], code: 'damaged', says: 'seal' },
    { title: 'a segment that ends early', patches: [{ object: one, truncate: 100 }], code: 'damaged', says: 'seal' },
    { title: 'a segment under the name of another', patches: [{ object: two, contentOf: one }], code: 'damaged', says: 'seal' },
    { title: 'a segment that was copied to where none is', patches: [{ object: elsewhere, contentOf: one }], code: 'damaged', says: 'seal' },
    { title: 'the beginning of a segment in place of the whole', patches: [{ object: one, contentOf: partial }], code: 'damaged', says: 'seal' },
    { title: 'parts that changed places', patches: [{ object: first, contentOf: second }], code: 'damaged', says: 'seal' },
    { title: 'a part that is gone', patches: [{ object: second, remove: true }], code: 'damaged', says: 'some are missing' },
    { title: 'a segment sealed as another kind of object', patches: [{ object: one, bytes: sealObject(repository.keys, 'snapshot', one, content, repository.cipher).toString('base64') }], code: 'damaged', says: 'seal' },
    { title: 'a segment with the digest of another', patches: await forged(one, { sha256: sha256(Buffer.of(1)) }), code: 'damaged', says: 'digest' },
    { title: 'a segment of half its size', patches: await forged(one, { sizeBytes: MIB / 2, bytes: half, sha256: sha256(half) }), code: 'damaged', says: `${MIB / 2} bytes of a segment of ${MIB}` },
    { title: 'a segment of a size that initdb refuses', patches: await forged(one, { segmentBytes: 3 * MIB }), code: 'damaged', says: 'power of two' },
    { title: 'a history in place of a segment', patches: await forged(one, { kind: 'history', segmentBytes: 0 }), code: 'damaged', says: 'kind history' },
    { title: 'a beginning with another length than its name says', patches: await forged(partial, { kind: 'partial', sizeBytes: 16_384, bytes: content.subarray(0, 16_384), sha256: sha256(content.subarray(0, 16_384)) }), code: 'damaged', says: 'wanted 8192' },
    { title: 'a part that says it begins elsewhere', patches: await forged(first, { segmentBytes: 64 * MIB, sizeBytes: 64 * MIB, offset: 1, bytes: content }), code: 'damaged', says: 'not part 1 of 2' },
  ];
}
