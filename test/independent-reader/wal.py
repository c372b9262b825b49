"""WAL of PostgreSQL in a vault (format §16): every file whole, and what its name says."""
import re
from collections import defaultdict, namedtuple

from sealing import Cursor, damaged, must, sha256

PART = 32 << 20
WAL_NAME = re.compile(
    r'wal/(?P<plan>[0-9a-f]{32})/(?P<system>[0-9]{1,20})/(?P<timeline>[0-9A-F]{8})/'
    r'(?P<file>(?P<first>[0-9A-F]{8})(?:[0-9A-F]{16}(?:\.partial\.(?P<bytes>[0-9]+)\.[0-9A-HJKMNP-TV-Z]{26}|\.(?P<label>[0-9A-F]{8})\.backup)?|(?P<history>\.history)))'
    r'(?:\.(?P<part>[1-9][0-9]*)-(?P<parts>[1-9][0-9]*))?')
KINDS = {1: 'segment', 2: 'partial', 3: 'history', 4: 'label'}

WalFile = namedtuple('WalFile', 'kind names segment_bytes size_bytes sha256 data')


def kind_of(match):
    return 'history' if match['history'] else 'label' if match['label'] else 'partial' if match['bytes'] else 'segment'


def wal_files(vault):
    """Every file of the vault, its parts together; a file that lacks a part is damage."""
    parts = defaultdict(list)
    for name in vault.list('wal/'):
        match = WAL_NAME.fullmatch(name)
        if match and match['first'] == match['timeline']:
            key = (match['plan'], match['system'], match['timeline'], match['file'], int(match['parts'] or 1))
            parts[key].append((int(match['part'] or 1), name, match))
    for key in sorted(parts):
        yield wal_file(vault, key[-1], sorted(parts[key], key=lambda found: found[0]))


def wal_file(vault, count, found):
    pieces, head = [], None
    for part, name, match in found:
        known, piece = wal_part(vault, name, match, part, count)
        must(head in (None, known), f'{name}: of another file than the parts before it')
        head = known
        pieces.append(piece)
    must(len(found) == count, f'{found[0][1]}: {len(found)} parts of {count}, some are missing')
    kind, segment_bytes, size_bytes, digest = head
    data = b''.join(pieces)
    must(sha256(data) == digest, f'{found[0][1]}: its bytes do not have the digest that was written with them')
    return WalFile(kind, [name for _, name, _ in found], segment_bytes, size_bytes, digest.hex(), data)


def wal_part(vault, name, match, part, count):
    cursor = Cursor(vault.keyring.open_object(vault.read(name), 'wal', name), name)
    kind = KINDS.get(cursor.byte())
    segment, size, offset, digest = cursor.varint(), cursor.varint(), cursor.varint(), cursor.bytes(32)
    piece = cursor.bytes(len(cursor.data) - cursor.at)
    must(kind == kind_of(match), f'{name}: a file of kind {kind}, wanted {kind_of(match)}')
    check_sizes(name, kind, segment, size)
    must(match['bytes'] is None or int(match['bytes']) == size, f'{name}: {size} bytes of its segment, wanted {match["bytes"]}')
    begin = (part - 1) * PART
    wanted = (max(1, -(-size // PART)), begin, min(PART, size - begin))
    must((count, offset, len(piece)) == wanted, f'{name}: {len(piece)} bytes from {offset} of {size}, which is not part {part} of {count}')
    return (kind, segment, size, digest), piece


def check_sizes(name, kind, segment, size):
    if kind in ('history', 'label'):
        must(segment == 0, f'{name}: {size} bytes of a segment of {segment}, wanted none')
        return
    if not 1 << 20 <= segment <= 1 << 30 or segment & (segment - 1):
        raise damaged(f'{name}: of a segment of {segment} bytes, wanted a power of two from 1 MiB to 1 GiB')
    must(size == segment if kind == 'segment' else size <= segment, f'{name}: {size} bytes of a segment of {segment}')
