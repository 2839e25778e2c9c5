"""Archives that students hand in: tar and zip, of which regular files with
plain names are taken, and no more than a hand-in can need."""

import bz2
import gzip
import lzma
import tarfile
import zipfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

FILES = 2000
BYTES = 32 << 20
DEPTH = 12


class Unfit(Exception):
    """It cannot be unpacked; in words."""


def plain(name):
    """The path below the folder, or None: it would lead out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = [p for p in path.parts if p != "."]
    if path.is_absolute() or ".." in parts or not 0 < len(parts) <= DEPTH \
            or any(len(p) > 200 or "\0" in p for p in parts):
        return None
    return Path(*parts)


class Limited:
    """What a tar is read from: not more than a hand-in can need, whatever it
    says of its own sizes, and whatever it is packed into."""

    def __init__(self, path):
        with open(path, "rb") as file:
            start = file.read(6)
        opener = next((one for magic, one in PACKED if
                       start.startswith(magic)), open)
        self.file = opener(path, "rb")
        self.left = 2 * BYTES

    def read(self, n):
        data = self.file.read(n)
        self.left -= len(data)
        if self.left < 0:
            raise Unfit("it is more than a hand-in can need")
        return data


PACKED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open),
          (b"\xfd7zXZ\0", lzma.open))


def members(archive):
    """(name, size, a function that reads it) of each regular file."""
    if isinstance(archive, zipfile.ZipFile):
        for one in archive.infolist():
            kind = one.external_attr >> 28  # 8: a regular file; 0: not said
            if not one.is_dir() and kind in (0, 8):
                yield one.filename, one.file_size, \
                    lambda one=one: zipped(archive, one)
    else:
        for one in archive:
            if one.isreg():
                yield one.name, one.size, \
                    lambda one=one: archive.extractfile(one)


def zipped(archive, one):
    """With the other methods zipfile unpacks more than it is asked for."""
    if one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Unfit("it is packed by a method that few programs know")
    return archive.open(one)


@contextmanager
def opened(path):
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield archive
        return
    limited = Limited(path)
    with limited.file, tarfile.open(fileobj=limited, mode="r|") as archive:
        yield archive


def unpack(path, folder):
    """Unpacks into an empty folder; the names that were left out."""
    try:
        return unpack_all(path, folder)
    except Unfit as why:
        raise Unfit(f"{path.name}: {why}") from None
    except Exception as error:
        # Each library has its own for what is broken, and some have several.
        raise Unfit(f"{path.name} cannot be unpacked: {error}") from None


def unpack_all(path, folder):
    left_out, count, room = [], 0, BYTES
    with opened(path) as archive:
        for name, size, reader in members(archive):
            count += 1
            where = plain(name)
            if count > FILES or size > room:
                raise Unfit(f"more than {FILES} files or {BYTES >> 20} MiB")
            if where is None:
                left_out.append(name[:200])
                continue
            with reader() as source:
                data = source.read(size + 1)
            room -= len(data)
            if room < 0:
                raise Unfit(f"more than {BYTES >> 20} MiB")
            to = folder / where
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(data)
    return left_out
