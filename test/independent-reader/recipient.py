"""Recipients: the private half on paper, and the KEK of a slot that was made for its public half (format §3)."""
import hashlib
import re

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from sealing import Refused, hkdf, must, sha256

LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
LIKE = str.maketrans('OIL', '011')
MLKEM_CIPHERTEXT = 1088
LABEL = bytes.fromhex('5c2e2f2f5e5c')


def doubled(value):
    """Times x in the field of 32 elements modulo x^5 + x^2 + 1."""
    return (value << 1) ^ (0b100101 if value & 16 else 0)


def is_sound(number, values):
    """Both sums over the number of the line and its 14 values are zero."""
    plain, weighted = 0, 0
    for value in reversed([number, *values]):
        plain, weighted = plain ^ value, doubled(weighted) ^ value
    return plain == weighted == 0


def seed_of_paper(text):
    values = {}
    for line in text.upper().splitlines():
        match = re.match(r'\s*([0-9]+)\s*:(.*)', line)
        if not match:
            continue
        number, letters = int(match[1]), ''.join(match[2].split()).translate(LIKE)
        symbols = [LETTERS.find(letter) for letter in letters]
        if number in values or not 1 <= number <= 5 or len(symbols) != 14 or -1 in symbols or not is_sound(number, symbols):
            raise Refused('wrong-key', f'line {number} of the private half is not as it was written')
        values[number] = symbols[:12]
    if len(values) != 5:
        raise Refused('wrong-key', f'{len(values)} lines of a private half, wanted 5')
    bits = 0
    for number in sorted(values):
        for value in values[number]:
            bits = bits << 5 | value
    version, seed, check = bits >> 296, (bits >> 40 & (1 << 256) - 1).to_bytes(32, 'big'), bits & (1 << 40) - 1
    if version != 1 or int.from_bytes(sha256(b'holdfast/1 paper\0' + str(version).encode() + seed)[:5], 'big') != check:
        raise Refused('wrong-key', f'version {version} of a private half, wanted 1, or its lines belong to several')
    return seed


class Recipient:
    """The private half of X-Wing: ML-KEM-768 and X25519 from one seed."""

    def __init__(self, seed):
        expanded = hashlib.shake_256(seed).digest(96)
        self.lattice, self.curve = MLKEM768PrivateKey.from_seed_bytes(expanded[:64]), X25519PrivateKey.from_private_bytes(expanded[64:])
        self.curve_public = self.curve.public_key().public_bytes_raw()
        self.id = sha256(self.lattice.public_key().public_bytes_raw() + self.curve_public)

    def kek(self, slot):
        ciphertext = slot['kdf']['ciphertext']
        ephemeral = ciphertext[MLKEM_CIPHERTEXT:]
        try:
            agreed = self.curve.exchange(X25519PublicKey.from_public_bytes(ephemeral))
        except ValueError:
            agreed = bytes(32)
        must(agreed != bytes(32), f'slot {slot["slot"]}: a point of low order')
        shared = hashlib.sha3_256(self.lattice.decapsulate(ciphertext[:MLKEM_CIPHERTEXT]) + agreed + ephemeral + self.curve_public + LABEL).digest()
        number = slot['keyNumber'].to_bytes(4, 'big')
        info = b'holdfast/1 recipient\0' + bytes.fromhex(slot['repository']) + number + self.id + sha256(ciphertext)
        return hkdf(shared, slot['salt'], info)
