"""The last step before a program that is not trusted: it shuts itself in, then
becomes that program. Started by isolation.py, which makes the namespaces:

    python3 -I -S -c THIS_FILE SPEC

SPEC is JSON: what the program may see, its limits, its user. No other file of
triptych is needed here, since its user may not be able to read them.

The root folder made here holds what is listed, and nothing else of the
machine: a list of what is to be hidden would always lack something."""

import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_NOATIME, MS_NODIRATIME, MS_BIND = 32, 1024, 2048, 4096
MS_REC, MS_RELATIME = 16384, 1 << 21
MNT_DETACH = 2
CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38

# What compilers and programs are made of. Nothing of any user's is there.
SYSTEM = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc",
          "opt", "nix", "gnu")
# Of these a test sees the libraries, and no program: a debugger would do to the
# test what its code may not, and a script what it ought to.
LIBRARIES = ("usr/lib", "usr/lib32", "usr/lib64", "usr/libx32",
             "usr/local/lib", "lib", "lib32", "lib64", "libx32", "etc", "nix",
             "gnu")
DEVICES = ("null", "zero", "full", "random", "urandom")
OLD = "/.old"  # where the machine's root is while ours is made

libc = ctypes.CDLL(None, use_errno=True)
machine = -1  # the folder /proc, as we may write in it


def call(name, *arguments):
    """A call of the C library; OSError if it fails."""
    def argument(value):
        if value is None:
            return None
        if isinstance(value, str):
            return os.fsencode(value)
        return ctypes.c_ulong(value)
    if getattr(libc, name)(*map(argument, arguments)) == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}{arguments}: {os.strerror(number)}")


def mount(source, target, kind=None, flags=0, options=None):
    call("mount", source, target, kind, flags, options)


def tmpfs(path, options, flags=MS_NOSUID | MS_NODEV):
    os.makedirs(path, exist_ok=True)
    mount("tmpfs", path, "tmpfs", flags, options)


def make_read_only(path):
    """Of one mount. What its maker forbade must go on being forbidden: a user
    namespace may not allow it again."""
    flags = MS_REMOUNT | MS_BIND | MS_RDONLY
    there = os.statvfs(path).f_flag
    for have, want in ((os.ST_NOSUID, MS_NOSUID), (os.ST_NODEV, MS_NODEV),
                       (os.ST_NOEXEC, MS_NOEXEC), (os.ST_NOATIME, MS_NOATIME),
                       (os.ST_NODIRATIME, MS_NODIRATIME),
                       (os.ST_RELATIME, MS_RELATIME)):
        if there & have:
            flags |= want
    mount(None, path, None, flags)


def show(path, writable=False):
    """Lets the new root have what the machine has at this path."""
    source = OLD + path
    if os.path.islink(source):  # as /bin is, to usr/bin
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.lexists(path):
            os.symlink(os.readlink(source), path)
        return
    if os.path.isdir(source):
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    mount(source, path, None, MS_BIND | MS_REC)
    if not writable:
        make_read_only(path)


def new_proc():
    """/proc, for reading: through /proc/self/mem a program could write into
    its own code, and the test's."""
    global machine
    os.mkdir("/proc")
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    machine = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    mount("/proc", "/proc", None, MS_BIND)
    make_read_only("/proc")


def new_root(spec):
    """A root of our own, in memory; the machine's is out of reach after it."""
    own = spec["cwd"]
    tmpfs(own, "size=1m,nr_inodes=1000,mode=755")
    os.mkdir(own + OLD)
    call("pivot_root", own, own + OLD)
    os.chdir("/")
    for name in SYSTEM if spec["programs"] else LIBRARIES:
        if os.path.lexists(f"{OLD}/{name}"):
            show(f"/{name}")
    for name in DEVICES:
        show(f"/dev/{name}", writable=True)
    for i, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink(f"/proc/self/fd/{i}", f"/dev/{name}")
    os.symlink("/proc/self/fd", "/dev/fd")
    tmpfs("/dev/shm", "size=1m,mode=1777", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    new_proc()
    for path in spec["show"]:
        show(path)
    for path in spec["write"]:
        show(path, writable=True)
    for path in spec["hide"]:
        if os.path.isdir(path):
            tmpfs(path, "size=4k,nr_inodes=1,mode=0", MS_RDONLY)
    for path in filter(os.path.isfile, spec["mask"]):
        mount("/dev/null", path, None, MS_BIND)
    tmpfs(own, f"size={spec['room']},nr_inodes=20000,mode=777",
          MS_NOSUID | MS_NODEV | MS_NOEXEC)
    call("umount2", OLD, MNT_DETACH)
    os.rmdir(OLD)
    make_read_only("/")


# Rights of Landlock, in the order of their bits; the rest came with versions 2,
# 3 and 5 of it.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
RIGHTS_OF = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # version: how many
SIGNALS_AND_SOCKETS = 3  # since version 6: to processes outside, by name
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # everywhere


def without(path, hidden):
    """What is to be seen of a folder: it, or all in it but what is hidden."""
    if path in hidden:
        return []
    if not any(one.startswith(path + "/") for one in hidden) or \
            os.path.islink(path) or not os.path.isdir(path):
        return [path]
    return [one for name in os.listdir(path)
            for one in without(f"{path}/{name}", hidden)]


def landlock(spec):
    """Where no root of our own is to be had: only what is listed can be
    opened, if the kernel has Landlock."""
    version = libc.syscall(CREATE_RULESET, None, 0, 1)
    if version < 1:
        return
    rights = (1 << RIGHTS_OF.get(version, 16)) - 1
    attributes = struct.pack("QQQ", rights, 0, SIGNALS_AND_SOCKETS)
    size = 24 if version >= 6 else 8
    ruleset = call_with(CREATE_RULESET, attributes[:size], size, 0)
    system = SYSTEM if spec["programs"] else LIBRARIES
    seen = [one for name in system for one in without(f"/{name}",
                                                      spec["hide"])]
    seen += ["/proc", *spec["show"]]
    written = [spec["cwd"], *spec["write"],
               *(f"/dev/{name}" for name in (*DEVICES, "shm"))]
    for paths, allowed in ((seen, EXECUTE | READ_FILE | READ_DIR),
                           (written, rights)):
        for path in filter(os.path.exists, paths):
            fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            if not os.path.isdir(path):  # what is for folders alone
                allowed &= ~(READ_DIR | 0x3ff0)
            rule = struct.pack("=Qi", allowed, fd)
            call_with(ADD_RULE, ruleset, 1, rule, 0)
            os.close(fd)
    call_with(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def call_with(number, *arguments):
    """A system call that the C library has no function for."""
    result = libc.syscall(ctypes.c_long(number), *(
        a if isinstance(a, bytes) else ctypes.c_ulong(a) for a in arguments))
    if result == -1:
        error = ctypes.get_errno()
        raise OSError(error, f"system call {number}: {os.strerror(error)}")
    return result


def loopback():
    """A new network namespace has a loopback that is down."""
    SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1] | IFF_UP
        fcntl.ioctl(any_socket, SIOCSIFFLAGS,
                    struct.pack("16sH14x", b"lo", flags))


def set_limit(name, value):
    what = getattr(resource, f"RLIMIT_{name}")
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(what, (value, value))


def counts_by_namespace():
    """RLIMIT_NPROC counts what the user has in this user namespace since
    Linux 5.14; before, what the user has at all."""
    major, minor = os.uname().release.split(".")[:2]
    return (int(major), int(minor.split("-")[0])) >= (5, 14)


def write(path, text):
    """Into a file of /proc."""
    at = machine if machine != -1 else os.open("/proc", os.O_PATH)
    fd = os.open(path, os.O_WRONLY, dir_fd=at)  # open would import more
    os.write(fd, text.encode())
    os.close(fd)


def execute(argv):
    """Becomes the program, which is looked for as the shell does."""
    folders = [""] if "/" in argv[0] else \
        [f"{folder}/" for folder in os.environ["PATH"].split(":")]
    for folder in folders:
        if os.access(folder + argv[0], os.X_OK):
            os.execv(folder + argv[0], argv)
    raise FileNotFoundError(f"{argv[0]} is not in {':'.join(folders)}")


def own_user_namespace(user):
    """One more, in which we are `user` and nobody can make another: with one,
    a program could mount folders of any size. False if it is not to be had:
    then the program cannot have it, either."""
    uid, gid = os.geteuid(), os.getegid()
    call("prctl", PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self is root's
    try:
        call("unshare", CLONE_NEWUSER)
    except OSError:
        return False
    write("self/setgroups", "deny")
    write("self/uid_map", f"{user} {uid} 1")
    write("self/gid_map", f"{user} {gid} 1")
    write("sys/user/max_user_namespaces", "0")
    return True


def main():
    spec = json.loads(sys.argv[1])
    private, user = spec["private"], spec["user"]
    if private:
        new_root(spec)
        loopback()
    os.chdir(spec["start"])
    # When memory runs out, the kernel is to end this before anything else.
    write("self/oom_score_adj", "1000")
    os.nice(5)  # the judge comes first
    # Ignored by who started the grader, they would be by the program.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    for name, value in spec["limits"].items():
        set_limit(name, value)
    if spec["become"]:
        set_limit("NPROC", spec["processes"])
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    if private and own_user_namespace(user) and counts_by_namespace():
        set_limit("NPROC", spec["processes"])
    call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if not private:
        landlock(spec)
    # It was lost with the change of the user.
    call("prctl", PR_SET_PDEATHSIG, 9, 0, 0, 0)
    execute(spec["argv"])


main()
