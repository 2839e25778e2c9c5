"""Archives that students hand in: tar and zip, of which regular files with
plain names are taken, and no more than a hand-in can need."""

import tarfile
import zipfile
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


def members(archive):
    """(name, size, a function that reads it) of each regular file."""
    if isinstance(archive, zipfile.ZipFile):
        for one in archive.infolist():
            kind = one.external_attr >> 28  # 8: a regular file; 0: not said
            if not one.is_dir() and kind in (0, 8):
                yield one.filename, one.file_size, \
                    lambda one=one: archive.open(one)
    else:
        for one in archive:
            if one.isreg():
                yield one.name, one.size, \
                    lambda one=one: archive.extractfile(one)


def opened(path):
    if zipfile.is_zipfile(path):
        return zipfile.ZipFile(path)
    return tarfile.open(path)


def unpack(path, folder):
    """Unpacks into an empty folder; the names that were left out."""
    left_out, count, room = [], 0, BYTES
    try:
        with opened(path) as archive:
            for name, size, reader in members(archive):
                count += 1
                where = plain(name)
                if count > FILES or size > room:
                    raise Unfit(f"{path.name}: more than {FILES} files or "
                                f"{BYTES >> 20} MiB")
                if where is None:
                    left_out.append(name[:200])
                    continue
                with reader() as source:
                    data = source.read(size + 1)
                room -= len(data)
                if room < 0:
                    raise Unfit(f"{path.name}: more than {BYTES >> 20} MiB")
                to = folder / where
                to.parent.mkdir(parents=True, exist_ok=True)
                to.write_bytes(data)
    except (OSError, EOFError, ValueError, RuntimeError, KeyError,
            NotImplementedError, tarfile.TarError,
            zipfile.BadZipFile) as error:
        raise Unfit(f"{path.name} cannot be unpacked: {error}") from None
    return left_out
