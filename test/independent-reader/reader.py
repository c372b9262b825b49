#!/usr/bin/env python3
"""Reads a vault with nothing of the product: written from docs/repository-format.md alone, to prove the document and the vaults.

    reader.py VAULT --key-file FILE | --passphrase-file FILE | --private-half FILE | --kek HEX   COMMAND
      list               the backups, oldest first
      names BACKUP       every entry as its record says, without a look at content
      entries BACKUP     every entry with the digest of its content, read from the packs
      restore BACKUP DIR the entries below an empty directory
      wal                every file of WAL, proved, with its digest
      check              every object of the vault, every chunk of every backup
    reader.py slot FILE --repository ID --key-file …  the keys that one slot wraps (frozen vectors only: it prints them)
    reader.py - -                                     commands from standard input, a JSON array of arguments a line; each
                                                      answer ends with {"ended": null} or {"ended": {"code", "message"}}

One JSON object a line. A refusal is one line {"code", "message"} on standard error, and exit code 1."""
import argparse
import base64
import hashlib
import json
import os
import sys

from keys import RecipientSecret, Secret, key_file_secret, open_slot, passphrase, read_slot
from manifest import standing
from packs import PACK_NAME
from recipient import Recipient, seed_of_paper
from restore import restore
from sealing import Refused, must
from vault import Vault
from wal import wal_files


def main(arguments):
    options = parse(arguments)
    if options.vault == 'slot':
        return slot(options)
    if options.vault == '-':
        return serve()
    vault = Vault(options.vault, secret(options))
    COMMANDS[options.command](vault, *options.rest)


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('vault')
    parser.add_argument('command')
    parser.add_argument('rest', nargs='*')
    parser.add_argument('--repository')
    keys = parser.add_mutually_exclusive_group()
    keys.add_argument('--key-file')
    keys.add_argument('--passphrase-file')
    keys.add_argument('--private-half')
    keys.add_argument('--kek')
    return parser.parse_intermixed_args(arguments)


def secret(options):
    if options.kek:
        return Secret('kms', bytes.fromhex(options.kek))
    path = options.key_file or options.passphrase_file or options.private_half
    if path is None:
        raise Refused('wrong-key', 'no key given; wanted --key-file, --passphrase-file, --private-half or --kek')
    with open(path, 'rb') as stream:
        data = stream.read()
    if options.private_half:
        return RecipientSecret(Recipient(seed_of_paper(data.decode())))
    return Secret('key-file', key_file_secret(data)) if options.key_file else passphrase(data.decode().splitlines()[0])


def serve():
    for line in sys.stdin:
        try:
            main(json.loads(line))
            say({'ended': None})
        except Refused as refusal:
            say({'ended': {'code': refusal.code, 'message': str(refusal)}})
        sys.stdout.flush()


def slot(options):
    name = 'keys/' + '/'.join(options.command.split(os.sep)[-2:])
    with open(options.command, 'rb') as stream:
        found = read_slot(stream.read(), name, options.repository)
    keys = open_slot(found, secret(options).kek(found), name)
    if keys is None:
        raise Refused('wrong-key', f'{name}: the key does not open it')
    say({key: value.hex() for key, value in keys.items()})


def list_backups(vault):
    for plan, backup in vault.snapshots():
        found = vault.backup(plan, backup)
        say({
            'backup': backup, 'plan': plan, 'planName': found.manifest['planName'], 'sequence': found.manifest['sequence'],
            'startedAt': found.manifest['startedAt'], 'entries': found.manifest['statistics'].get('entries'),
            'refsRevision': found.refs['revision'], 'hasDelta': found.manifest['tree']['delta'] is not None, 'standing': standing(vault.verdicts(backup)),
        })


def find(vault, backup):
    plans = [plan for plan, known in vault.snapshots() if known == backup]
    if not plans:
        raise Refused('not-found', f'{backup}: no backup of this vault')
    return vault.backup(plans[0], backup)


def print_names(vault, backup):
    found = find(vault, backup)
    groups = {}
    for entry in found.content.entries(found.manifest['tree']):
        say(record(entry, groups))


def print_entries(vault, backup):
    found = find(vault, backup)
    groups = {}
    for entry in found.content.entries(found.manifest['tree']):
        say({**record(entry, groups), **content_facts(entry, found.content)})


def content_facts(entry, content):
    if entry.type not in ('file', 'stream') or entry.unreadable:
        return {}
    digest = hashlib.sha256()
    for piece in content.pieces(entry):
        digest.update(piece)
    return {'sha256': digest.hexdigest()}


def record(entry, groups):
    facts = {
        'path': base64.b64encode(entry.path).decode(), 'type': entry.type, 'mode': entry.mode, 'uid': entry.uid, 'gid': entry.gid,
        'mtime': f'{entry.mtime[0]}.{entry.mtime[1]:09}', 'flags': entry.flags,
    }
    if entry.type in ('file', 'stream'):
        facts['size'] = entry.size
    facts.update({name: True for name, is_set in (('sparse', entry.sparse), ('unreadable', entry.unreadable)) if is_set})
    if entry.group:
        facts['link'] = groups.setdefault(entry.group, len(groups) + 1)
    if entry.target is not None:
        facts['target'] = base64.b64encode(entry.target).decode()
    if entry.device:
        facts['device'] = list(entry.device)
    if entry.xattrs:
        facts['xattrs'] = [{'name': base64.b64encode(name).decode(), 'value': base64.b64encode(value).decode()} for name, value in entry.xattrs]
    return facts


def restore_backup(vault, backup, target):
    found = find(vault, backup)
    left = restore(list(found.content.entries(found.manifest['tree'])), found.content, target)
    for entry, reason in left:
        say({'path': base64.b64encode(entry.path).decode(), 'left': reason})
    say({'backup': backup, 'restored': target, 'left': len(left)})


def print_wal(vault):
    for file in wal_files(vault):
        say({'names': file.names, 'kind': file.kind, 'segmentBytes': file.segment_bytes, 'sizeBytes': file.size_bytes, 'sha256': file.sha256})


def check(vault):
    """Index, removals, verdicts, WAL, then every backup: refs, packs and their frames, tree, contents."""
    indexes = list(vault.indexes())
    for name in vault.list('removed/'):
        vault.sealed_json(name, 'verdict')
    for _ in wal_files(vault):
        pass
    packs, entries = {}, 0
    for plan, backup in vault.snapshots():
        found = vault.backup(plan, backup)
        vault.check_predecessors(found)
        vault.verdicts(backup)
        for pack in found.refs['packs']:
            known = packs.setdefault(pack['name'], pack)
            must(known == pack, f'refs of {backup}: another size or digest of {pack["name"]} than other refs')
        for entry in found.content.entries(found.manifest['tree']):
            content_facts(entry, found.content)
            entries += 1
    for pack in packs.values():
        vault.check_pack(pack)
    for name in vault.list('packs/'):
        if name not in packs and PACK_NAME.fullmatch(name):
            vault.check_frames(name)
    claims = sum(check_index(vault, name, index, packs) for name, index in indexes)
    say({'backups': len(vault.snapshots()), 'entries': entries, 'packs': len(packs), 'indexes': len(indexes), 'claims': claims})


def check_index(vault, name, index, packs):
    """An index is a cache of directories: what it says of a living pack is what that pack says."""
    _, table, claims = index
    for pack in table:
        known = packs.get(pack['name'], pack)
        must((known['size'], known['sha256']) == (pack['size'], pack['sha256']), f'{name}: another size or digest of {pack["name"]} than its refs')
    for chunk, ordinal in claims:
        pack = packs.get(table[ordinal]['name'])
        must(pack is None or chunk in vault.pack(pack['name']).places, f'{name}: chunk {chunk.hex()} is not in {table[ordinal]["name"]}')
    return len(claims)


def say(facts):
    print(json.dumps(facts))


COMMANDS = {'list': list_backups, 'names': print_names, 'entries': print_entries, 'restore': restore_backup, 'wal': print_wal, 'check': check}

if __name__ == '__main__':
    try:
        main(sys.argv[1:])
    except Refused as refusal:
        print(json.dumps({'code': refusal.code, 'message': str(refusal)}), file=sys.stderr)
        sys.exit(1)
