"""The JSON of manifests, refs and verdicts: parsed once, checked key by key (format §8, §9)."""
import re

from packs import PACK_NAME
from keys import from_base64, read_json
from sealing import must, sha256

HEX32, HEX64, ULID = '[0-9a-f]{32}', '[0-9a-f]{64}', '[0-7][0-9A-HJKMNP-TV-Z]{25}'
TIME = r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z'


def text(pattern):
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.S) is not None


def number(value):
    return type(value) is int and 0 <= value < 1 << 53


def many(shape):
    return lambda value: isinstance(value, list) and all(fits(item, shape) for item in value)


def perhaps(shape):
    return lambda value: value is None or fits(value, shape)


def fits(value, shape):
    if not isinstance(shape, dict):
        return shape(value)
    return isinstance(value, dict) and all(fits(value.get(key), inner) for key, inner in shape.items())


def must_fit(value, shape, what):
    for key, inner in shape.items():
        must(fits(value.get(key), inner), f'{what}: {key} is {str(value.get(key))[:80]}')
    return value


ROOT = {'chunks': many({'first': text('.*'), 'id': text(HEX64), 'pack': text(HEX32), 'length': number}), 'packs': many(text(HEX32)), 'records': number, 'bytes': number}
MANIFEST = {
    'plan': text(HEX32), 'run': text(ULID), 'writer': text(HEX32), 'host': text('.*'), 'backup': text(ULID), 'planName': text('.*'), 'type': text('.*'),
    'source': {'type': text('.*'), 'description': text('.*'), 'paths': many(text('.*'))},
    'startedAt': text(TIME), 'finishedAt': text(TIME), 'sequence': number, 'predecessors': many({'backup': text(ULID), 'sha256': text(HEX64)}),
    'tree': {'base': ROOT, 'delta': perhaps(ROOT)}, 'contentSha256': text(f'({HEX64})?'),
    'statistics': lambda value: isinstance(value, dict), 'warnings': lambda value: isinstance(value, list), 'checkedAt': number, 'refsSha256': text(HEX64),
}
REFS = {
    'plan': text(HEX32), 'backup': text(ULID), 'run': text(ULID), 'revision': number,
    'packs': many({'name': text(PACK_NAME.pattern), 'size': number, 'sha256': text(HEX64)}), 'replaced': many({'old': text(HEX32), 'new': text(HEX32)}),
}
# How deep a level looks; a `corrupted` stands until a `good` that looked as deep as what found it.
DEPTHS = {'commit': 0, 'structure': 0, 'sample': 1, 'full': 1}
LIFTS = {0: tuple(DEPTHS), 1: ('full',)}
VERDICT = {
    'backup': text(ULID), 'level': DEPTHS.__contains__, 'result': text('good|corrupted|void'), 'at': number,
    'damaged': many({'name': text('.*'), 'problem': text('.*')}), 'sample': perhaps({'part': number, 'parts': number}),
}


def check_manifest(data, name, plan, backup):
    manifest = must_fit(read_json(data, name), MANIFEST, name)
    must((manifest['plan'], manifest['backup']) == (plan, backup), f'{name}: is of plan {manifest["plan"]}, backup {manifest["backup"]}')
    ids = [place['id'] for root in filter(None, manifest['tree'].values()) for place in root['chunks']]
    must(manifest['contentSha256'] in ('', sha256('\n'.join(ids).encode()).hex()), f'{name}: its contentSha256 is not that of its tree chunks')
    for root in filter(None, manifest['tree'].values()):
        for place in root['chunks']:
            place['first'], place['id'] = from_base64(place['first'], None, name), bytes.fromhex(place['id'])
    return manifest


def check_refs(refs, repository, wanted, name):
    must_fit(refs, REFS, name)
    must(refs.get('repository') == repository, f'{name}: belongs to repository {refs.get("repository")}, wanted {repository}')
    must(refs.get('kind') == 'refs', f'{name}: of kind {refs.get("kind")}')
    must((refs['plan'], refs['backup'], refs['revision']) == wanted, f'{name}: is of plan {refs["plan"]}, backup {refs["backup"]}, revision {refs["revision"]}')
    names = [pack['name'] for pack in refs['packs']]
    must(len(set(names)) == len(names), f'{name}: names a pack twice')
    return refs


def check_verdict(verdict, name, backup):
    must_fit(verdict, VERDICT, name)
    must(verdict['backup'] == backup, f'{name}: is of backup {verdict["backup"]}')
    return verdict


def standing(verdicts):
    """What verdicts, oldest first, make of a backup: `good`, `corrupted`, `void`, or None when there are none."""
    state, lifters = None, ()
    for verdict in verdicts:
        if state == 'void' or (state == 'corrupted' and verdict['result'] == 'good' and verdict['level'] not in lifters):
            continue
        state = verdict['result']
        lifters = LIFTS[DEPTHS[verdict['level']]]
    return state
