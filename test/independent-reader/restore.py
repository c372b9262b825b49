"""Entries back below an empty directory: a check of data, with no ambition to be the product's restore."""
import os

from sealing import Refused, must


def restore(entries, content, target):
    """Writes every entry, modes and times last, deepest first. Answers (entry, reason) for what was left out."""
    os.makedirs(target, exist_ok=True)
    must(not os.listdir(target), f'{target}: not empty, nothing was restored')
    writer = Writer(os.fsencode(target), content)
    for entry in entries:
        writer.write(entry)
    for entry in reversed(writer.written):
        writer.dress(entry)
    return writer.left


class Writer:
    def __init__(self, target, content):
        self.target, self.content = target, content
        self.folders, self.groups, self.written, self.left = {b''}, {}, [], []

    def write(self, entry):
        parent = entry.path.rpartition(b'/')[0]
        # A parent that is a symbolic link would lead out of the target.
        must(parent in self.folders, f'{entry.path!r}: what it lies in is no directory of this backup')
        make = getattr(self, f'make_{entry.type}', None)
        if make is None:
            self.left.append((entry, f'type {entry.type}'))
            return
        if make(entry, os.path.join(self.target, entry.path)):
            self.written.append(entry)

    def make_directory(self, entry, path):
        if entry.path:
            os.mkdir(path, 0o700)
        self.folders.add(entry.path)
        return True

    def make_symlink(self, entry, path):
        os.symlink(entry.target, path)
        return True

    def make_fifo(self, entry, path):
        os.mkfifo(path, 0o600)
        return True

    def make_file(self, entry, path):
        if entry.unreadable:
            self.left.append((entry, 'its content could not be read when it was backed up'))
            return False
        # The links of a group are one file when they have the same content; each holds its own list.
        first = self.groups.get((entry.group, tuple(entry.refs)))
        if entry.group and first:
            os.link(first, path, follow_symlinks=False)
            return True
        try:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), 'wb') as stream:
                for piece in self.content.pieces(entry):
                    stream.write(piece)
        except Refused as refusal:
            # Content that is lost costs that entry, and no other.
            os.remove(path)
            self.left.append((entry, str(refusal)))
            return False
        self.groups[(entry.group, tuple(entry.refs))] = path
        return True

    make_stream = make_file

    def dress(self, entry):
        path = os.path.join(self.target, entry.path)
        for name, value in entry.xattrs:
            os.setxattr(path, name, value, follow_symlinks=False)
        if entry.type != 'symlink':
            os.chmod(path, entry.mode)
        seconds, nanoseconds = entry.mtime
        time = seconds * 10 ** 9 + nanoseconds
        os.utime(path, ns=(time, time), follow_symlinks=False)
