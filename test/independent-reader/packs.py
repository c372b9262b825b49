"""Packs: header, frames, directory, footer (format §5)."""
import re
from collections import namedtuple

from sealing import MAX_RAW_FRAME, TAG, Cursor, decode, must, sha256

PACK_NAME = re.compile(r'packs/(hot|warm|cold|meta)/[0-9a-f]{32}/([0-9a-f]{2})/(\2[0-9a-f]{30})')
EDGE = 16
MAX_PACK = 24 << 20

Frame = namedtuple('Frame', 'offset sealed raw codec number tag chunks')  # chunks: [(id, length)]


class Pack:
    """One pack, checked from its first byte to its last when it is made; frames are opened when asked for."""

    def __init__(self, keyring, name, data):
        must(PACK_NAME.fullmatch(name), f'{name}: not the name of a pack')
        must(2 * EDGE <= len(data) <= MAX_PACK, f'{name}: {len(data)} bytes, wanted {2 * EDGE} to {MAX_PACK}')
        self.keyring, self.name, self.data = keyring, name, data
        head, foot = data[:EDGE], data[-EDGE:]
        must(head[:4] == b'HFPK', f'{name}: does not begin like a pack')
        must(foot[:4] == b'HFPE', f'{name}: does not end like a pack')
        must(head[4:6] == foot[4:6] and head[8:12] == foot[8:12], f'{name}: its header says that it is sealed otherwise than its footer does')
        self.seal = (foot[4], foot[5], int.from_bytes(foot[8:12], 'big'))
        self.directory_at = len(data) - EDGE - int.from_bytes(foot[12:], 'big')
        must(self.directory_at >= EDGE, f'{name}: its directory is longer than itself')
        self.frames = self._directory(keyring.open(data[self.directory_at:-EDGE], self.seal, 'directory', name, f'directory of {name}'))
        self.places = {}  # chunk id -> (ordinal of the frame, offset in it, length); a pack may hold a chunk twice
        for ordinal, frame in enumerate(self.frames):
            at = 0
            for chunk, length in frame.chunks:
                self.places.setdefault(chunk, (ordinal, at, length))
                at += length

    @property
    def is_meta(self):
        return self.name.startswith('packs/meta/')

    def _directory(self, plain):
        cursor = Cursor(plain, f'directory of {self.name}')
        frames, offset = [], EDGE
        for _ in range(cursor.count(20)):
            sealed, raw, codec, number = cursor.varint(), cursor.varint(), cursor.byte(), cursor.varint()
            tag = cursor.bytes(TAG)
            chunks = [(cursor.bytes(32), cursor.varint()) for _ in range(cursor.count(33))]
            must(codec in (0, 1, 2), f'{self.name}: a frame of codec {codec}, wanted 0, 1 or 2')
            must(raw <= MAX_RAW_FRAME, f'{self.name}: a frame of {raw} bytes, wanted at most {MAX_RAW_FRAME}')
            must(sum(length for _, length in chunks) == raw, f'{self.name}: a frame of {raw} bytes, and its chunks have others')
            frames.append(Frame(offset, sealed, raw, codec, number, tag, chunks))
            offset += sealed
        cursor.end()
        must(offset == self.directory_at, f'{self.name}: frames end at {offset}, and its directory begins at {self.directory_at}')
        for frame in frames:
            must(self.data[frame.offset + frame.sealed - TAG:frame.offset + frame.sealed] == frame.tag, f'{self.name}: not the frame that its directory describes, at {frame.offset}')
        return frames

    def open_frame(self, ordinal):
        """The raw bytes of a frame, and every chunk in it is what its id says."""
        frame, what = self.frames[ordinal], f'frame {ordinal} of {self.name}'
        seal = (self.seal[0], self.seal[1], frame.number)
        body = self.keyring.open(self.data[frame.offset:frame.offset + frame.sealed], seal, 'tree' if self.is_meta else 'frame', '', what)
        raw = decode(frame.codec, body, frame.raw, what)
        at = 0
        for chunk, length in frame.chunks:
            must(sha256(raw[at:at + length]) == chunk, f'{what}: a chunk has another digest than its id')
            at += length
        return raw
