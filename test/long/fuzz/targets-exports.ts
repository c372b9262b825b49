import { byteString, fromText, toBytes } from '../../../lib/model/byte-string.ts';
import type { ByteString } from '../../../lib/model/byte-string.ts';
import { HoldfastError } from '../../../lib/model/errors.ts';
import { archiveParts } from '../../../lib/recovery/export/archive-parts.ts';
import { checksumLine, exportMetadata, incompleteNote } from '../../../lib/recovery/export/export-metadata.ts';
import type { ExportFacts } from '../../../lib/recovery/export/export-metadata.ts';
import { ENTRY, SnapshotReader, decodeBody, directoryOf, frameOpener, isSnapshotFile, openFrame, openJson, openManifest, readTreeChunk } from '../../../lib/repository/index.ts';
import type { SnapshotEntry } from '../../../lib/repository/index.ts';
import type { SeededRandom } from '../../simulation/dice.ts';
import { Forge } from './forge.ts';
import { mutateBytes } from './mutate-bytes.ts';
import { mutateJson } from './mutate-json.ts';
import { readMembers } from './tar-reader.ts';
import type { Piece, SeenMember } from './tar-reader.ts';
import type { FuzzTarget } from './target.ts';
import type { VectorVault } from './vector-vault.ts';

/** What exports make of entries and manifests that decode, whoever wrote them: an archive that says the same, and documents that stay documents. */
export async function exportTargets(vault: VectorVault): Promise<FuzzTarget[]> {
  return [await archiveTarget(vault), metadataTarget(vault), checksumTarget()];
}

async function archiveTarget(vault: VectorVault): Promise<FuzzTarget> {
  const chunks = treeChunks(vault);
  const reader = await SnapshotReader.open(vault.repository, vault.one('snapshots/').name);
  return {
    // A hole may have the length of the longest chunk.
    name: 'archive of entries', codes: ['damaged'], takenBytes: 96 << 20,
    input: (dice) => mutateBytes(dice, dice.from(chunks), { examples: chunks, words: [Buffer.from('\n'), Buffer.from('='), Buffer.alloc(120, 'n'), Buffer.from([0xff]), Buffer.from('../')] }),
    decode: async (input) => {
      const entries = [...readTreeChunk(input, 'tree')].filter(({ body }) => body[0] !== ENTRY.tombstone).map(({ path, body }) => ({ ...decodeBody(body, path), path }));
      const written = new Set(entries.map(({ path }) => path));
      const pieces: Piece[] = [];
      const options = { except: new Set<ByteString>(), keepsHoles: true, keepsLinks: true, onLeftOut: ({ path }: SnapshotEntry) => void written.delete(path), onLost: (path: ByteString) => void written.delete(path) };
      const batches = (async function* () {
        yield entries;
      })();
      for await (const parts of archiveParts(reader, batches, options)) for (const part of parts) pieces.push(part instanceof Uint8Array ? part : part.chunk.length);
      expectSame(entries.filter(({ path }) => written.has(path)), readMembers(pieces));
    },
  };
}

/** Of those that are in the archive, in their order. */
function expectSame(entries: readonly SnapshotEntry[], members: readonly SeenMember[]): void {
  if (members.length !== entries.length) throw new Error(`${entries.length} entries were written, and ${members.length} are read`);
  for (const [index, entry] of entries.entries()) {
    const member = members[index] as SeenMember;
    const name = entry.type === ENTRY.directory ? (entry.path === '' ? './' : `${entry.path}/`) : entry.path;
    const link = entry.type === ENTRY.symlink ? entry.target : '';
    // Of a name that stands there twice a reader keeps the last.
    const xattrs = new Map((('xattrs' in entry ? entry.xattrs : undefined) ?? []).map((xattr) => [xattr.name, xattr.value]));
    const isSame = member.name === name && member.mode === entry.mode && member.uid === entry.uid && member.gid === entry.gid && nanosecondsOf(member.mtime) === BigInt(entry.mtimeSeconds) * 1_000_000_000n + BigInt(entry.mtimeNanoseconds)
      && (member.type === '1' || member.linkName === link) && [...xattrs].every(([key, value]) => member.xattrs.get(key)?.equals(value) === true) && (!isSnapshotFile(entry) || member.type === '1' || member.size >= 0);
    if (!isSame) throw new Error(`${JSON.stringify(name)} reads as another: ${JSON.stringify({ ...member, xattrs: [...member.xattrs] })}, wanted ${JSON.stringify(entry, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`);
    if (name.split('/').includes('..') || name.startsWith('/')) throw new Error(`${JSON.stringify(name)} leads out of the folder that an archive is unpacked in`);
  }
}

function nanosecondsOf(seconds: string): bigint {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(seconds) ?? [];
  const total = BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
  return sign === '-' ? -total : total;
}

/** A manifest that opens, with names and reasons that somebody chose: what is said of the export stays readable, for programs and on a terminal. */
function metadataTarget(vault: VectorVault): FuzzTarget {
  const { keys } = vault.repository;
  const forge = new Forge(keys);
  const snapshot = vault.one('snapshots/');
  const manifest = openJson(keys, 'snapshot', snapshot.name, snapshot.bytes);
  return {
    name: 'metadata of an export', codes: ['damaged', 'unsupported-version', 'wrong-key'],
    // A name of 16 bytes, and the manifest behind it.
    input: (dice) => Buffer.concat([dice.isOnceIn(2) ? Buffer.from('a\n\u001b[2J\u202e\\b.tar.') : dice.bytes(16), Buffer.from(mutateJson(dice, manifest))]),
    decode: (input) => {
      const opened = openManifest(keys, snapshot.name, forge.object('snapshot', snapshot.name, input.subarray(16)));
      const path = byteString(input.subarray(0, 16));
      const reason = Buffer.from(input.subarray(0, 16)).toString('latin1');
      const facts: ExportFacts = {
        name: path, format: 'tar', bytes: 1, sha256: 'a'.repeat(64), content: { entries: 1, files: 1, bytes: 1, left: 1 }, streams: [{ path, bytes: 1, sha256: 'b'.repeat(64) }], patterns: [reason],
        leftOut: [{ path, kind: 'damaged', reason: 'it is missing' }], treeDamage: [{ from: path, to: undefined, error: new HoldfastError('damaged', 'it is missing') }], exportedAt: 1, version: '1', manifestSha256: 'c'.repeat(64),
      };
      const said = JSON.parse(JSON.stringify(exportMetadata({ manifest: opened } as SnapshotReader, facts))) as { name: string; nameBase64?: string };
      if (!Buffer.from(said.nameBase64 ?? Buffer.from(said.name).toString('base64'), 'base64').equals(toBytes(path))) throw new Error(`the name comes back as ${JSON.stringify(said)}`);
      const note = incompleteNote(opened.backup, facts.leftOut, facts.treeDamage);
      // oxlint-disable-next-line no-control-regex -- they are what is looked for
      if (note.filter((byte) => byte === 10).length !== 3 || /[\x00-\x09\x0b-\x1f\x7f]/.test(Buffer.from(note).toString('latin1'))) throw new Error(`the note has other lines, or steers: ${JSON.stringify(Buffer.from(note).toString())}`);
    },
  };
}

/** As `sha256sum -c` reads it: one line, and the name that it was made of. */
function checksumTarget(): FuzzTarget {
  const examples = ['a.tar.zst', 'a\nb', 'a\\nb', '\\', '\r\n', 'b\\\\'].map((name) => Buffer.from(name));
  return {
    name: 'checksum of an export', codes: [],
    input: (dice: SeededRandom) => mutateBytes(dice, dice.from(examples), { examples, words: ['\n', '\r', '\\', '\\n', '  ', ' *'].map((word) => Buffer.from(word)) }),
    decode: (input) => {
      const digest = 'd'.repeat(64);
      const line = Buffer.from(checksumLine(digest, byteString(input))).toString('latin1');
      const isEscaped = line.startsWith('\\');
      const name = line.slice((isEscaped ? 1 : 0) + digest.length + 2, -1);
      const read = isEscaped ? name.replace(/\\(.)/g, (_, letter: string) => ({ n: '\n', r: '\r', '\\': '\\' })[letter] ?? `\\${letter}`) : name;
      if (line.indexOf('\n') !== line.length - 1 || fromText(read) !== fromText(Buffer.from(input).toString('latin1'))) throw new Error(`the line ${JSON.stringify(line)} names ${JSON.stringify(read)}`);
    },
  };
}

function treeChunks({ repository: { keys }, objects }: VectorVault): Uint8Array[] {
  const opener = frameOpener(keys, 'tree');
  return [...objects].filter(([name]) => name.startsWith('packs/meta/')).flatMap(([name, bytes]) => {
    const { frames, cipher } = directoryOf(keys, name, bytes);
    return frames.map((frame) => openFrame(opener, cipher, frame, bytes.subarray(frame.offset, frame.offset + frame.sealedLength), name));
  });
}
