"""Reads what a student has handed in: by descriptor, no link followed at any
level, nothing that can block, no more than is looked for."""

import os
import stat
from contextlib import contextmanager

CODE_LIMIT = 1 << 20  # bytes of one file
FOLDERS = 20          # so many are looked into for files one folder too deep


class Unfit(Exception):
    """There is no such file, or it is not to be read; the text says why."""


@contextmanager
def opened(at, path, flags):
    """A descriptor of what lies at `path` below the folder `at`."""
    chain = [os.dup(at)]
    *folders, name = path.split("/")
    try:
        for folder in folders:
            chain.append(os.open(folder, os.O_RDONLY | os.O_DIRECTORY |
                                 os.O_NOFOLLOW | os.O_CLOEXEC,
                                 dir_fd=chain[-1]))
        # Before the opening: to open a device can have effects.
        check_kind(os.stat(name, dir_fd=chain[-1], follow_symlinks=False),
                   flags)
        chain.append(os.open(name, os.O_NOFOLLOW | os.O_NONBLOCK |
                             os.O_NOCTTY | os.O_CLOEXEC | flags,
                             dir_fd=chain[-1]))
        check_kind(os.fstat(chain[-1]), flags)
        yield chain[-1]
    except FileNotFoundError:
        raise Unfit("not handed in") from None
    except (OSError, ValueError) as error:
        raise Unfit(f"cannot be read ({type(error).__name__}; a link in its "
                    "path is not followed)") from None
    finally:
        for fd in reversed(chain):
            os.close(fd)


def check_kind(status, flags):
    mode = status.st_mode
    if flags & os.O_DIRECTORY:
        if not stat.S_ISDIR(mode):
            raise Unfit("not a folder")
    elif not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else \
            "a link" if stat.S_ISLNK(mode) else \
            "a pipe, a device or a socket"
        raise Unfit(f"not a plain file, but {what}")


def read(at, path, limit=CODE_LIMIT):
    """The text of a file below the folder `at`."""
    with opened(at, path, os.O_RDONLY) as fd:
        if os.fstat(fd).st_size > limit:
            raise Unfit(f"larger than {limit >> 10} KiB")
        data = b""
        while len(data) <= limit:  # it may have grown since
            more = os.read(fd, limit + 1 - len(data))
            if not more:
                return data.decode(errors="replace")
            data += more
    raise Unfit(f"larger than {limit >> 10} KiB")


@contextmanager
def root(folder):
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def one(folder, path, limit):
    """The text of one file of a folder."""
    with root(folder) as at:
        return read(at, path, limit)


def take(at, names):
    """The files of these names below a folder: texts, why others are none,
    and what is to be said. A file beside its folder is taken, too."""
    files, unfit, said = {}, {}, []
    for name in names:
        base = name.rpartition("/")[2]
        try:
            files[name] = read(at, name)
        except Unfit as why:
            unfit[name] = str(why)
            try:
                files[name] = read(at, base)
            except Unfit:
                continue
            del unfit[name]
            said.append(f"{name}: taken from {base}, beside its folder")
    return files, unfit, said


def folders_of(at):
    """The folders right below, few of them, in order."""
    with os.scandir(at) as entries:
        names = [e.name for _, e in zip(range(1000), entries)
                 if e.is_dir(follow_symlinks=False)
                 and not e.name.startswith((".", "__"))]
    return sorted(names)[:FOLDERS]


def all_files(folder, names):
    """As `take` does, from a folder, or from the one below it that has most of
    the files, if it has none itself: what zips come to be."""
    with root(folder) as at:
        found = take(at, names)
        if found[0]:
            return found
        for below in folders_of(at):
            try:
                with opened(at, below, os.O_RDONLY | os.O_DIRECTORY) as fd:
                    other = take(fd, names)
            except Unfit:
                continue
            if len(other[0]) > len(found[0]):
                other[2].insert(0, "all was taken from "
                                f"{below!a}, one folder too deep")
                found = other
    return found
