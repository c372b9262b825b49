"""The entry tree: records, streams of records, a base under a delta (format §7)."""
import hashlib
from dataclasses import dataclass, field

from sealing import Cursor, damaged, must

TYPES = {1: 'file', 2: 'directory', 3: 'symlink', 4: 'fifo', 5: 'socket', 6: 'character-device', 7: 'block-device', 8: 'stream'}
TOMBSTONE = 'tombstone'
MAX_TREE_CHUNK = 16 << 20
RACY, SPARSE, CHANGED, LINKED, XATTRS, LISTED, UNREADABLE, DIGEST = (1 << bit for bit in range(8))


@dataclass
class Entry:
    path: bytes
    type: str
    flags: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    mtime: tuple = (0, 0)
    size: int = 0
    group: bytes | None = None
    digest: bytes | None = None
    xattrs: list = field(default_factory=list)
    refs: list = field(default_factory=list)  # (chunk id, pack id, length); of list chunks when LISTED
    target: bytes | None = None
    device: tuple | None = None

    @property
    def sparse(self):
        return bool(self.flags & SPARSE)

    @property
    def unreadable(self):
        return bool(self.flags & UNREADABLE)


def components(path):
    """What paths are ordered by. The root is the empty path and comes first."""
    return tuple(path.split(b'/')) if path else ()


def check_path(path, what):
    for name in components(path):
        must(1 <= len(name) <= 255 and name not in (b'.', b'..') and b'\0' not in name, f'{what}: {path!r} is not a path inside a backup')


def read_chunk(data, what):
    """The records of one tree chunk, which decodes alone."""
    cursor, previous = Cursor(data, what), b''
    while cursor.at < len(data):
        is_first = cursor.at == 0
        shared = cursor.varint()
        must(shared <= len(previous), f'{what}: a path shares more than the one before it has')
        path = previous[:shared] + cursor.text()
        check_path(path, what)
        must(is_first or components(path) > components(previous), f'{what}: its paths do not ascend at {path!r}')
        yield read_body(path, Cursor(cursor.text(), f'{what}: record of {path!r}'))
        previous = path


def read_body(path, body):
    kind = body.byte()
    if kind == 0:
        body.end()
        return Entry(path, TOMBSTONE)
    must(kind in TYPES, f'{body.what}: entry type {kind}, wanted 0 to 8')
    entry = Entry(path, TYPES[kind], body.varint(), body.varint(), body.varint(), body.varint(), (body.zigzag(), body.varint()))
    must(entry.flags < 256, f'{body.what}: flags {entry.flags}, wanted less than 256')
    must(entry.mode <= 0o7777, f'{body.what}: mode {entry.mode:o}, wanted 12 bits')
    must(entry.mtime[1] < 10 ** 9, f'{body.what}: {entry.mtime[1]} nanoseconds')
    BODIES.get(entry.type, lambda *_: None)(entry, body)
    body.end()
    return entry


def file_body(entry, body):
    entry.size = body.varint()
    body.zigzag(), body.varint(), body.bytes(8)  # ctime and inode matter to writers alone
    if entry.flags & LINKED:
        entry.group = body.bytes(16)
    if entry.flags & DIGEST:
        entry.digest = body.bytes(32)
    entry.xattrs = read_xattrs(entry, body)
    entry.refs = [read_ref(body) for _ in range(body.count(49))]
    must(not (entry.unreadable and entry.refs), f'{body.what}: unreadable, and it has content')


def read_ref(cursor):
    return cursor.bytes(32), cursor.bytes(16).hex(), cursor.varint()


def read_xattrs(entry, body):
    return [(body.text(), body.text()) for _ in range(body.count(2))] if entry.flags & XATTRS else []


def directory_body(entry, body):
    entry.xattrs = read_xattrs(entry, body)


def symlink_body(entry, body):
    entry.target = body.text()
    entry.xattrs = read_xattrs(entry, body)


def device_body(entry, body):
    numbers = (body.varint(), body.varint())
    if entry.type in ('fifo', 'socket'):
        must(numbers == (0, 0), f'{body.what}: a {entry.type} with device numbers')
    else:
        entry.device = numbers


BODIES = {
    'file': file_body, 'stream': file_body, 'directory': directory_body, 'symlink': symlink_body,
    'fifo': device_body, 'socket': device_body, 'character-device': device_body, 'block-device': device_body,
}


class Content:
    """Where chunks of one backup are: `chunk(id, pack id, length, is_meta)` answers bytes that were checked."""

    def __init__(self, chunk):
        self.chunk = chunk

    def refs(self, entry):
        """The chunks of a file; long lists are themselves content, of meta packs."""
        if not entry.flags & LISTED:
            return entry.refs
        joined = Cursor(b''.join(self.chunk(*ref, True) for ref in entry.refs), f'list of {entry.path!r}')
        refs = []
        while joined.at < len(joined.data):
            refs.append(read_ref(joined))
        return refs

    def pieces(self, entry):
        """The content in order; its size and its digest are checked when the last piece was taken."""
        if entry.unreadable:
            return
        refs, whole, size = self.refs(entry), hashlib.sha256(), 0
        for ref in refs:
            piece = self.chunk(*ref, False)
            whole.update(piece)
            size += len(piece)
            yield piece
        must(size == entry.size, f'{entry.path!r}: {size} bytes of content, and its record says {entry.size}')
        must(entry.digest in (None, whole.digest()), f'{entry.path!r}: its content has another digest than its record says')

    def root(self, root, what):
        """All records of one root of a manifest, in order."""
        last, records, size = None, 0, 0
        named = set(root['packs'])
        for ordinal, place in enumerate(root['chunks']):
            must(place['pack'] in named, f'{what}: its packs do not name the pack of tree chunk {ordinal}')
            must(place['length'] <= MAX_TREE_CHUNK, f'{what}: tree chunk {ordinal} has {place["length"]} bytes, wanted at most {MAX_TREE_CHUNK}')
            data = self.chunk(place['id'], place['pack'], place['length'], True)
            size += len(data)
            entries = list(read_chunk(data, f'{what}: tree chunk {ordinal}'))
            must(entries and entries[0].path == place['first'], f'{what}: tree chunk {ordinal} does not begin where the manifest says')
            must(last is None or components(entries[0].path) > last, f'{what}: its chunks do not ascend at {ordinal}')
            for entry in entries:
                for _, pack, _ in [*self.refs(entry), *entry.refs]:
                    must(pack in named, f'{what}: its packs do not name the pack {pack} of {entry.path!r}')
                records += 1
                yield entry
            last = components(entries[-1].path)
        must((records, size) == (root['records'], root['bytes']), f'{what}: {records} records of {size} bytes, and the manifest says {root["records"]} of {root["bytes"]}')

    def entries(self, tree):
        """Base and delta as one: a record of the delta replaces, adds or takes away."""
        delta = {entry.path: entry for entry in self.root(tree['delta'], 'delta')} if tree['delta'] else {}
        merged = {}
        for entry in self.root(tree['base'], 'base'):
            if entry.type == TOMBSTONE:
                raise damaged(f'base: a tombstone at {entry.path!r}')
            merged[entry.path] = entry
        merged.update(delta)
        for path in sorted(merged, key=components):
            if merged[path].type != TOMBSTONE:
                yield merged[path]
