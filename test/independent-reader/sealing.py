"""What bytes mean: numbers, keys, seals and codecs (format §1, §3, §4)."""
import hashlib
import hmac
import zlib

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

FORMAT = 1
SALT, TAG = 32, 16
CIPHERS = {1: AESGCM, 2: ChaCha20Poly1305}
NONCE = bytes(12)
MAX_RAW_OBJECT = 256 << 20
MAX_RAW_FRAME = 64 << 20


class Refused(Exception):
    """The one way to stop. `code` is one of those in format §11."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def damaged(message):
    return Refused('damaged', message)


def must(condition, message):
    if not condition:
        raise damaged(message)


class Cursor:
    """Reads one decoded unit from its first byte to its last; what would leave it is damage."""

    def __init__(self, data, what):
        self.data, self.at, self.what = data, 0, what

    def bytes(self, length):
        must(length <= len(self.data) - self.at, f'{self.what}: {length} bytes announced at {self.at}, and {len(self.data) - self.at} left')
        self.at += length
        return self.data[self.at - length:self.at]

    def byte(self):
        return self.bytes(1)[0]

    def varint(self):
        value = 0
        for shift in range(0, 56, 7):
            byte = self.byte()
            value |= (byte & 127) << shift
            if byte < 128:
                must(value < 1 << 53, f'{self.what}: a number of more than 53 bits')
                return value
        raise damaged(f'{self.what}: a number that does not end')

    def zigzag(self):
        value = self.varint()
        return -(value + 1) // 2 if value & 1 else value // 2

    def text(self):
        return self.bytes(self.varint())

    def count(self, least):
        """How many items follow; each takes at least so many bytes, so nobody can announce more than there is room for."""
        count = self.varint()
        must(count * least <= len(self.data) - self.at, f'{self.what}: {count} items announced, more than its bytes hold')
        return count

    def end(self):
        must(self.at == len(self.data), f'{self.what}: {len(self.data) - self.at} bytes too many')


def hkdf(key, salt, info):
    return HKDF(SHA256(), 32, salt, info.encode() if isinstance(info, str) else info).derive(key)


def mac(key, message):
    return hmac.digest(key, message, 'sha256')


def sha256(data):
    return hashlib.sha256(data).digest()


def aead_open(cipher, key, sealed, associated):
    """Plaintext, or None when the seal does not hold."""
    try:
        return CIPHERS[cipher](key).decrypt(NONCE, sealed, associated)
    except InvalidTag:
        return None


class Keyring:
    """The subkeys of one repository, by key number: of those numbers that have slots, the ones that were opened."""

    def __init__(self, repository, pairs, numbers):
        self.repository, self.pairs, self.numbers = bytes.fromhex(repository), pairs, numbers

    def subkey(self, number, kind):
        name = 'data' if kind in ('frame', 'wal') else 'meta'
        return hkdf(self.pairs[number][name], self.repository, f'holdfast/1 {kind}')

    def open(self, unit, seal, kind, name, what):
        """`seal` is (format, cipher, key number), as the header says; all three are authenticated."""
        version, cipher, number = seal
        must(version != 0, f'{what}: format version 0')
        must(cipher in CIPHERS, f'{what}: cipher {cipher}, wanted 1 or 2')
        # The key number of a frame comes from a sealed directory, so nobody flipped a bit of it.
        must(number in self.numbers or kind in ('frame', 'tree'), f'{what}: sealed otherwise than this vault can be: key number {number}, wanted one of {sorted(self.numbers)}')
        if number not in self.pairs:
            raise Refused('wrong-key', f'{what}: sealed with key number {number}, and this key opens {sorted(self.pairs)}')
        if kind in ('frame', 'wal') and 'data' not in self.pairs[number]:
            raise Refused('wrong-key', f'{what}: this key opens metadata only')
        must(len(unit) >= SALT + TAG, f'{what}: {len(unit)} bytes, too short for a sealed unit')
        salt, sealed = unit[:SALT], unit[SALT:]
        key = HKDFExpand(SHA256(), 32, b'holdfast/1 unit').derive(mac(self.subkey(number, kind), salt))
        full = name.encode()
        associated = b''.join([
            b'holdfast', bytes([version, cipher]), self.repository, number.to_bytes(4, 'big'),
            bytes([len(kind)]), kind.encode(), len(full).to_bytes(2, 'big'), full,
        ])
        plain = aead_open(cipher, key, sealed, associated)
        must(plain is not None, f'{what}: its seal does not hold')
        # Only a version that somebody with the key wrote is a newer format; any other is a flipped bit.
        if version > FORMAT:
            raise Refused('unsupported-version', f'{what}: format version {version}, wanted {FORMAT}')
        return plain

    def open_object(self, data, kind, name):
        """A sealed object: header, unit, codec, raw length, body."""
        must(len(data) >= 12 and data[:4] == b'HFOB', f'{name}: does not begin like a sealed object')
        plain = Cursor(self.open(data[12:], (data[4], data[5], int.from_bytes(data[8:12], 'big')), kind, name, name), name)
        codec, length = plain.byte(), plain.varint()
        must(codec in (0, 1), f'{name}: codec {codec}, wanted 0 or 1')
        must(length <= MAX_RAW_OBJECT, f'{name}: announces {length} bytes, wanted at most {MAX_RAW_OBJECT}')
        return decode(codec, plain.bytes(len(plain.data) - plain.at), length, name)


def decode(codec, body, length, what):
    """A body decodes to exactly its raw length, and nothing follows it."""
    try:
        if codec == 0:
            raw, complete = body, True
        elif codec == 1:
            with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as stream:
                raw, complete = stream.read(length), stream.read(1) == b''
        elif codec == 2:
            stream = zlib.decompressobj(wbits=31)
            raw = stream.decompress(body, length + 1)
            complete = stream.eof and stream.unused_data == b''
        else:
            raise damaged(f'{what}: codec {codec}, wanted 0, 1 or 2')
    except (zstandard.ZstdError, zlib.error) as problem:
        raise damaged(f'{what}: does not decompress: {problem}') from problem
    must(complete and len(raw) == length, f'{what}: does not decode to the {length} bytes that it announces')
    return raw
