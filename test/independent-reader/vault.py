"""A vault: what is in it, its backups, and every promise between its objects (format §2, §6, §8, §9, §11)."""
import json
import os
import re
from collections import namedtuple
from functools import lru_cache

from keys import from_base64, open_keys, read_json, read_slots
from packs import PACK_NAME, Pack
from sealing import Cursor, Refused, damaged, mac, must, sha256
from tree import Content
from manifest import check_manifest, check_refs, check_verdict

INDEX_NAME = re.compile(r'index/[0-9a-f]{32}/[0-9A-HJKMNP-TV-Z]{26}-[0-9]+')
SNAPSHOT_NAME = re.compile(r'snapshots/([0-9a-f]{32})/([0-9A-HJKMNP-TV-Z]{26})')
MAX_OBJECT = 64 << 20
# What the mac of refs covers, in this order.
SIGNED = ('format', 'repository', 'kind', 'plan', 'backup', 'run', 'revision', 'packs', 'replaced')

Backup = namedtuple('Backup', 'id plan manifest refs content')


class Vault:
    def __init__(self, root, secret):
        self.root = root
        if not self.holds('holdfast.json'):
            raise Refused('vault-not-found', f'{root}: holdfast.json is missing')
        head = read_json(self.read('holdfast.json'), 'holdfast.json')
        self.repository = head.get('repository')
        must(isinstance(self.repository, str) and re.fullmatch('[0-9a-f]{32}', self.repository), f'holdfast.json: repository {self.repository}')
        check_chunker(head.get('chunker'))
        self.keyring = open_keys(read_slots(self.list('keys/'), self.read, self.repository), self.repository, secret)
        self.pack = lru_cache(8)(self._pack)
        self.frame = lru_cache(16)(self._frame)

    def list(self, prefix):
        """Names below a prefix, sorted. What is not a plain file, or a link to one, is no object."""
        base = os.path.join(self.root, prefix)
        found = []
        for folder, _, files in os.walk(base):
            found.extend(os.path.relpath(os.path.join(folder, name), self.root).replace(os.sep, '/') for name in files)
        return sorted(found)

    def holds(self, name):
        return os.path.isfile(os.path.join(self.root, name))

    def read(self, name):
        path = os.path.join(self.root, name)
        try:
            must(os.path.getsize(path) <= MAX_OBJECT, f'{name}: more than {MAX_OBJECT} bytes')
            with open(path, 'rb') as stream:
                return stream.read()
        except FileNotFoundError as problem:
            raise Refused('not-found', f'{name}: is not in the vault') from problem

    def sealed_json(self, name, kind):
        return json_object(self.keyring.open_object(self.read(name), kind, name), name)

    def _pack(self, name):
        return Pack(self.keyring, name, self.read(name))

    def _frame(self, name, ordinal):
        return self.pack(name).open_frame(ordinal)

    def check_pack(self, known):
        """Every frame of a pack, then what refs or an index say of the whole."""
        name = known['name']
        pack = self.check_frames(name)
        must(len(pack.data) == known['size'], f'{name}: {len(pack.data)} bytes, wanted {known["size"]}')
        must(sha256(pack.data).hex() == known['sha256'], f'{name}: another SHA-256 than wanted')

    def check_frames(self, name):
        pack = self.pack(name)
        for ordinal in range(len(pack.frames)):
            self.frame(name, ordinal)
        return pack

    def snapshots(self):
        """(plan, backup id) of every snapshot, oldest first."""
        names = [SNAPSHOT_NAME.fullmatch(name) for name in self.list('snapshots/')]
        return sorted(((match[1], match[2]) for match in names if match), key=lambda pair: pair[1])

    def backup(self, plan, backup):
        name = f'snapshots/{plan}/{backup}'
        manifest = check_manifest(self.keyring.open_object(self.read(name), 'snapshot', name), name, plan, backup)
        refs = self.refs(plan, backup, manifest)
        return Backup(backup, plan, manifest, refs, Content(Places(self, refs).chunk))

    def check_predecessors(self, found):
        """Those that were not removed are still what they were."""
        for earlier in found.manifest['predecessors']:
            name = f'snapshots/{found.plan}/{earlier["backup"]}'
            must(not self.holds(name) or sha256(self.read(name)).hex() == earlier['sha256'], f'{name}: another one than when {found.id} was made')

    def refs(self, plan, backup, manifest):
        """The greatest valid revision."""
        prefix = f'refs/{plan}/{backup}.'
        problems = []
        revisions = sorted((int(name[len(prefix):]) for name in self.list(f'refs/{plan}') if re.fullmatch(re.escape(prefix) + '(0|[1-9][0-9]{0,8})', name)), reverse=True)
        for revision in revisions:
            name = f'{prefix}{revision}'
            data = self.read(name)
            try:
                if revision == 0:
                    must(sha256(data).hex() == manifest['refsSha256'], f'{name}: not those that the manifest names')
                refs = read_json(data, name)
                if revision > 0:
                    self.check_mac(refs, name)
                return check_refs(refs, self.repository, (plan, backup, revision), name)
            except Refused as problem:
                if problem.code != 'damaged':
                    raise
                problems.append(str(problem))
        raise damaged(f'{prefix}*: cannot say which packs it needs: {"; ".join(problems) or "no refs"}')

    def check_mac(self, refs, name):
        text = json.dumps({key: refs.get(key) for key in SIGNED}, separators=(',', ':'), ensure_ascii=False)
        genuine = mac(self.keyring.subkey(1, 'refs-mac'), name.encode() + b'\0' + text.encode())
        must(isinstance(refs.get('mac'), str) and from_base64(refs['mac'], None, name) == genuine, f'{name}: not genuine, its mac is another one')

    def verdicts(self, backup):
        """From the oldest to the newest."""
        return [check_verdict(self.sealed_json(name, 'verdict'), name, backup) for name in self.list(f'verdicts/{backup}')]

    def indexes(self):
        """Every index object, against the packs that are still there."""
        for name in self.list('index/'):
            must(INDEX_NAME.fullmatch(name), f'{name}: not the name of an index')
            yield name, read_index(self.keyring.open_object(self.read(name), 'index', name), name)


class Places:
    """Where the chunks of one backup are: its refs, what replaced a pack, and for what is left the index."""

    def __init__(self, vault, refs):
        self.vault = vault
        self.packs = {pack['name'][-32:]: pack for pack in refs['packs']}
        self.replaced = {}
        for pair in refs['replaced']:
            self.replaced.setdefault(pair['old'], []).append(pair['new'])

    def chunk(self, chunk, pack_id, length, is_meta):
        for name in self.candidates(pack_id):
            pack = self.vault.pack(name)
            must(pack.is_meta == is_meta, f'{name}: a pack of the other key than chunk {chunk.hex()} needs')
            if chunk in pack.places:
                ordinal, at, found = pack.places[chunk]
                piece = self.vault.frame(name, ordinal)[at:at + found]
                must(found == length, f'{name}: chunk {chunk.hex()} has {found} bytes, and its ref says {length}')
                return piece
        if self.is_named(pack_id):
            raise damaged(f'chunk {chunk.hex()} is not in pack {pack_id}, nor in what replaced it')
        raise damaged(f'the refs do not name the pack {pack_id} of chunk {chunk.hex()}')

    def is_named(self, pack_id):
        return any(True for _ in self.candidates(pack_id))

    def candidates(self, pack_id):
        """The pack itself when it is still named, else what took its place."""
        seen, ahead = set(), [pack_id]
        while ahead:
            pack = ahead.pop(0)
            if pack in seen:
                continue
            seen.add(pack)
            if pack in self.packs:
                yield self.packs[pack]['name']
            ahead.extend(self.replaced.get(pack, []))


def json_object(data, what):
    try:
        value = json.loads(data.decode('utf-8'))
    except ValueError as problem:
        raise damaged(f'{what}: not JSON: {problem}') from problem
    must(isinstance(value, dict), f'{what}: not an object')
    return value


def check_chunker(chunker):
    for kind in ('files', 'streams'):
        sizes = chunker.get(kind) if isinstance(chunker, dict) else None
        numbers = [sizes.get(key) for key in ('min', 'avg', 'max')] if isinstance(sizes, dict) else []
        must(numbers and all(type(number) is int for number in numbers) and 4096 <= numbers[0] < numbers[1] < numbers[2] <= 16 << 20, f'holdfast.json: chunk sizes {sizes} of {kind}')


def read_index(data, name):
    """(names superseded, pack table, chunk ids and the ordinal of their pack)."""
    cursor = Cursor(data, name)
    superseded = [cursor.text().decode() for _ in range(cursor.count(1))]
    packs = []
    for _ in range(cursor.count(35)):
        pack = {'name': cursor.text().decode('utf-8', 'replace'), 'size': cursor.varint(), 'sha256': cursor.bytes(32).hex(), 'keyNumber': cursor.varint()}
        must(PACK_NAME.fullmatch(pack['name']), f'{name}: {pack["name"]} is not the name of a pack')
        packs.append(pack)
    claims = cursor.count(33)
    chunks = [cursor.bytes(32) for _ in range(claims)]
    must(all(one <= next for one, next in zip(chunks, chunks[1:])), f'{name}: its claims do not ascend')
    ordinals = [cursor.varint() for _ in range(claims)]
    must(all(ordinal < len(packs) for ordinal in ordinals), f'{name}: a claim names a pack that its table does not hold')
    cursor.end()
    return superseded, packs, list(zip(chunks, ordinals))
