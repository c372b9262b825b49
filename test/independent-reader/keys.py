"""Key slots: from a key file, a passphrase or a key encryption key to the keys of every number (format §3)."""
import base64
import binascii
import hashlib
import json
import re
import unicodedata
from functools import lru_cache

from sealing import FORMAT, Keyring, Refused, aead_open, damaged, hkdf, mac, must

SLOT_NAME = re.compile(r'keys/([1-9][0-9]*)/([0-9a-f]{32})\.json')
KEY_FILE = re.compile(rb'holdfast-key-1:([A-Za-z0-9+/]{43}=)')
MAX_SLOT = 16 << 10
WRAPPED = ('meta', 'data', 'chunker')


def from_base64(text, length, what):
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, TypeError, ValueError) as problem:
        raise damaged(f'{what}: not base64: {problem}') from problem
    must(length is None or len(value) == length, f'{what}: {len(value)} bytes, wanted {length}')
    return value


def read_json(data, what):
    """A JSON object of a format version that this reader knows."""
    try:
        value = json.loads(data.decode('utf-8'))
    except ValueError as problem:
        raise damaged(f'{what}: not JSON: {problem}') from problem
    must(isinstance(value, dict), f'{what}: not an object')
    version = value.get('format')
    if isinstance(version, int) and version > FORMAT:
        raise Refused('unsupported-version', f'{what}: format version {version}, wanted {FORMAT}')
    must(version == FORMAT, f'{what}: format version {version}, wanted {FORMAT}')
    return value


def key_file_secret(data):
    """The one line of a key file that is no comment."""
    lines = [line.strip() for line in data.splitlines() if line.strip() and not line.startswith(b'#')]
    match = KEY_FILE.fullmatch(lines[0]) if len(lines) == 1 else None
    if not match:
        raise Refused('wrong-key', 'the key file does not hold exactly one line holdfast-key-1:<base64 of 32 bytes>')
    return from_base64(match[1], 32, 'key file')


@lru_cache(64)
def scrypt(value, salt, n, r, p):
    return hashlib.scrypt(value, salt=salt, n=n, r=r, p=p, dklen=32, maxmem=(1 << 30) + (64 << 20))


class Secret:
    """What somebody opens a vault with: kind of slot, and the KEK that it makes for one."""

    # Of a recipient: a slot opens exactly when it names this.
    recipient = None

    def __init__(self, kind, value):
        self.kind, self.value = kind, value

    def kek(self, slot):
        if self.kind != 'passphrase':
            return self.value
        return scrypt(self.value, slot['salt'], *(slot['kdf'][key] for key in ('N', 'r', 'p')))


class RecipientSecret(Secret):
    def __init__(self, half):
        super().__init__('recipient', half)
        self.recipient = half.id

    def kek(self, slot):
        return self.value.kek(slot)


def passphrase(text):
    return Secret('passphrase', unicodedata.normalize('NFC', text).encode())


def read_slots(names, read, repository):
    """The sound slots by name. A damaged one is passed over while another is left: it may be somebody else's."""
    slots, problems = {}, []
    for name in filter(SLOT_NAME.fullmatch, names):
        try:
            slots[name] = read_slot(read(name), name, repository)
        except Refused as problem:
            if problem.code != 'damaged':
                raise
            problems.append(str(problem))
    must(slots, f'no readable key slot below keys/: {"; ".join(problems) or "there is none"}')
    return slots


def read_slot(data, name, repository):
    """A slot whose outside is sound; what it wraps stays closed."""
    match = SLOT_NAME.fullmatch(name)
    must(match, f'{name}: not the name of a key slot')
    must(len(data) <= MAX_SLOT, f'{name}: {len(data)} bytes, wanted at most {MAX_SLOT}')
    slot = read_json(data, name)
    must(slot.get('repository') == repository, f'{name}: belongs to repository {slot.get("repository")}, wanted {repository}')
    must((slot.get('keyNumber'), slot.get('slot')) == (int(match[1]), match[2]), f'{name}: says that it is slot {slot.get("slot")} of key {slot.get("keyNumber")}')
    wrapped = slot.get('wrapped')
    must(isinstance(wrapped, dict) and {'meta', 'chunker'} <= set(wrapped) <= set(WRAPPED), f'{name}: wraps {wrapped and sorted(wrapped)}, wanted meta, chunker and perhaps data')
    slot['wrapped'] = {key: from_base64(value, 48, f'{name}: {key}') for key, value in wrapped.items()}
    slot['salt'], slot['check'] = from_base64(slot.get('salt'), 32, f'{name}: salt'), from_base64(slot.get('check'), 16, f'{name}: check')
    check_kdf(slot, name)
    return slot


def check_kdf(slot, name):
    kind, kdf = slot.get('kind'), slot.get('kdf')
    if kind == 'passphrase':
        numbers = [kdf.get(key) for key in ('N', 'r', 'p')] if isinstance(kdf, dict) and kdf.get('name') == 'scrypt' else []
        must(numbers and all(type(number) is int and number > 0 for number in numbers), f'{name}: kdf is not scrypt')
        n, r, p = numbers
        must(n & (n - 1) == 0 and n <= 1 << 20 and r <= 16 and p <= 4 and 1 << 17 <= n * r <= 1 << 23, f'{name}: scrypt with N {n}, r {r}, p {p}')
    elif kind == 'kms':
        must(isinstance(kdf, dict) and set(kdf) == {'name', 'key', 'scope', 'ciphertext'} and kdf['name'] == 'kms', f'{name}: kdf is not that of kms')
        must(kdf['scope'] in ('all', 'meta') and (kdf['scope'] == 'all') == ('data' in slot['wrapped']), f'{name}: scope {kdf["scope"]}, and it wraps {sorted(slot["wrapped"])}')
        must(1 <= len(from_base64(kdf['ciphertext'], None, f'{name}: ciphertext')) <= 6144, f'{name}: the length of its ciphertext')
    elif kind == 'recipient':
        must(isinstance(kdf, dict) and set(kdf) == {'name', 'recipient', 'ciphertext'} and kdf['name'] == 'x-wing', f'{name}: kdf is not that of a recipient')
        kdf['recipient'] = from_base64(kdf['recipient'], 32, f'{name}: recipient')
        kdf['ciphertext'] = from_base64(kdf['ciphertext'], 1120, f'{name}: ciphertext')
    else:
        must(kind != 'key-file' or kdf is None, f'{name}: a key file needs no kdf')


def open_slot(slot, kek, name):
    """The keys of one slot by name, or None when the KEK is another one."""
    repository, salt = slot['repository'], slot['salt']
    if mac(hkdf(kek, salt, 'holdfast check'), b'check' + repository.encode())[:16] != slot['check']:
        return None
    keys = {}
    for key, wrapped in slot['wrapped'].items():
        associated = f'holdfast/1/wrap/{repository}/{slot["keyNumber"]}/{slot["slot"]}/{key}'.encode()
        keys[key] = aead_open(1, hkdf(kek, salt, f'holdfast wrap {key}'), wrapped, associated)
        must(keys[key] is not None, f'{name}: the key opens it, and {key} is not what was wrapped there')
    return keys


def open_keys(slots, repository, secret):
    """Slots by name and a secret give a keyring with the keys of every number that has a slot for it."""
    pairs, chunkers, tried = {}, set(), 0
    for name, slot in slots.items():
        if slot['kind'] != secret.kind:
            continue
        tried += 1
        keys = open_slot(slot, secret.kek(slot), name)
        must(secret.recipient is None or (keys is not None) == (slot['kdf']['recipient'] == secret.recipient), f'{name}: the recipient that it names is not the one that opens it')
        if keys is None:
            continue
        known = pairs.setdefault(slot['keyNumber'], {})
        must(all(known.get(key, keys[key]) == keys[key] for key in ('meta', 'data') if key in keys), f'{name}: other keys than another slot of its number')
        known.update((key, keys[key]) for key in ('meta', 'data') if key in keys)
        chunkers.add(keys['chunker'])
    if not pairs:
        raise Refused('wrong-key', f'the key opens none of the {len(slots)} key slots; {tried} of kind {secret.kind} tried')
    must(len(chunkers) == 1, 'key slots hold different chunker secrets')
    return Keyring(repository, pairs, {slot['keyNumber'] for slot in slots.values()})
