"""What keeps a student's code from the machine, its user and the grader, on
this machine: the best of what is to be had.

    namespaces      as root: a user of its own, and a root folder, processes
                    and a network of its own
    user namespace  the same, by means that every user may have; the code goes
                    on being the user's, who has nothing there
    another user    as root in a container that grants no namespaces: the
                    network stays in reach, and where the kernel has no
                    Landlock, what everybody may read and write
    none            no code is run: its kill(-1, SIGKILL) would end the user's
                    session"""

import ctypes
import functools
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

USERS = range(40000, 60000)  # users that nobody is: each run has another
NAMESPACES = ["--mount", "--net", "--ipc", "--pid", "--fork", "--kill-child"]
INSIDE = Path(__file__).with_name("inside.py").read_text()
PYTHON = "/usr/bin/python3"  # one of the user's own may lie in a closed folder
if not os.path.exists(PYTHON):
    PYTHON = sys.executable


@dataclass(frozen=True)
class Isolation:
    name: str
    namespaces: tuple = ()    # arguments of unshare; none: no private root
    user_before: bool = False  # it becomes another user, then makes them
    user_after: bool = False   # it becomes another user, in them
    warning: str = ""         # what is missing, and how to get it

    @property
    def private(self):
        """It has a root, processes and a network of its own."""
        return bool(self.namespaces)

    @property
    def another_user(self):
        """Files that it is to write must be given to that user."""
        return self.user_before or self.user_after


IN_USER_NAMESPACE = ("--user", "--map-root-user", *NAMESPACES)
AS_ROOT = "Run the grader as root, or as a user who may use sudo without a " \
    "password: then the code is another user's."
IN_CONTAINER = "Let the container have namespaces (docker run --cap-add " \
    "SYS_ADMIN --security-opt seccomp=unconfined --security-opt " \
    "apparmor=unconfined), or grade in a virtual machine."
NONE = Isolation(
    "none", warning="Refused: nothing here would keep a student's code from "
    "the user's own processes and files. Run the grader as root, or as a user "
    "who may use sudo without a password, or allow user namespaces "
    "(sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns; docker: --security-opt "
    "seccomp=unconfined).")


def has_landlock():
    """Whether the kernel can be asked to let a process open only what is
    listed."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(444, None, 0, 1) > 0


def candidates():
    """The best first."""
    if os.geteuid() == 0:
        yield Isolation("namespaces", tuple(NAMESPACES), user_after=True)
        yield Isolation("user namespace", IN_USER_NAMESPACE, user_before=True)
        could = "The code could use the network. " if has_landlock() else \
            "The code could use the network and read what everybody may " \
            "read. "
        yield Isolation("another user", user_after=True,
                        warning=could + IN_CONTAINER)
    yield Isolation("user namespace", IN_USER_NAMESPACE,
                    warning="The code ran as the user who graded, shut in. "
                    + AS_ROOT)


@functools.cache
def isolation():
    """The best that works here, found by trying."""
    for one in candidates():
        with tempfile.TemporaryDirectory(prefix="lab-cwd-") as cwd:
            os.chmod(cwd, 0o777)
            argv = command(one, ["true"], cwd, free_user())
            try:
                done = subprocess.run(argv, capture_output=True, cwd="/",
                                      check=False, timeout=60)
            except (OSError, subprocess.TimeoutExpired):
                continue
        if done.returncode == 0:
            return one
    return NONE


counted = itertools.count(os.getpid() * 61)


def free_user():
    """A user who has no process: another grader may run beside us."""
    while True:
        user = USERS[next(counted) % len(USERS)]
        if not processes_of(user):
            return user


def processes_of(user):
    """The processes of a user, dead ones aside."""
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{entry}").st_uid == user or \
                    f"\nUid:\t{user}\t" in status(entry):
                if "\nState:\tZ" not in status(entry):
                    found.append(int(entry))
        except OSError:
            continue
    return found


def status(pid):
    return read_proc(f"{pid}/status")


def read_proc(name):
    """A short file of /proc, by one read: it is looked at for every process of
    the machine, ten times a second while a test runs."""
    fd = os.open(f"/proc/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096).decode(errors="replace")
    finally:
        os.close(fd)


def as_user(user):
    """What a tool of ours is started with, to be that user. Who becomes
    another user is no longer ended with its parent: so it is asked for
    again."""
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
            "--no-new-privs", "--pdeathsig", "KILL", "--"]


def command(one, argv, cwd, user, start=None, show=(), write=(), hide=(),
            mask=(), room="64m", limits=None, processes=150, programs=True):
    """argv, shut in. It starts in `start` or `cwd`; `cwd` is an empty folder
    of `room` bytes. It sees the folders of `show`, may write in those of
    `write`, and finds those of `hide`, which lie in them, empty, and so the
    files of `mask`, where it has a root of its own. `programs`: it can start
    those of the machine."""
    spec = {
        "argv": [str(a) for a in argv], "cwd": str(cwd),
        "start": str(start or cwd), "user": user, "private": one.private,
        "become": one.user_after, "room": room, "limits": limits or {},
        "processes": processes, "programs": programs, "show": [str(p) for p in show],
        "write": [str(p) for p in write], "hide": [str(p) for p in hide],
        "mask": [str(p) for p in mask]}
    prefix = as_user(user) if one.user_before else \
        ["setpriv", "--pdeathsig", "KILL", "--"]
    if one.private:
        prefix += ["unshare", *one.namespaces]
    return [*prefix, PYTHON, "-I", "-S", "-c", INSIDE,
            json.dumps(spec)]


# --- Through sudo ------------------------------------------------------------

# What the grader needs of its environment. A token is not among it.
KEPT = ("PATH", "LANG", "LC_ALL", "CC", "TMPDIR", "CLASSROOM", "ASSIGNMENT",
        "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL", "REVIEW_URL",
        "PYTHONDONTWRITEBYTECODE")
OWNER = "TRIPTYCH_LAB_OWNER"  # of what is written: the user who asked for it


def through_sudo():
    """Starts this program anew, as root, if the user may. Then it does not
    return. Code that ran as a user who has sudo would have it, too."""
    if os.geteuid() == 0 or OWNER in os.environ or \
            shutil.which("sudo") is None:
        return
    bare = {"PATH": os.environ.get("PATH", os.defpath)}
    asked = subprocess.run(["sudo", "-n", "id", "-u"], capture_output=True,
                           stdin=subprocess.DEVNULL, text=True, check=False,
                           env=bare)
    if asked.returncode != 0 or asked.stdout.strip() != "0":
        return
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    kept[OWNER] = f"{os.getuid()}:{os.getgid()}"
    assignments = [f"{name}={value}" for name, value in kept.items()]
    sys.stdout.flush()
    os.execve(shutil.which("sudo"),
              ["sudo", "-n", "env", "-i", *assignments, sys.executable,
               *sys.argv], bare)


def give_to_owner(path):
    """What root writes for a user who came through sudo is that user's."""
    owner = os.environ.get(OWNER, "")
    if os.geteuid() == 0 and owner:
        uid, gid = owner.split(":")
        os.chown(path, int(uid), int(gid), follow_symlinks=False)


def make_folder(path):
    """With those above it; what is made is the user's who asked for it."""
    if not path.is_dir():
        if path.parent != path:
            make_folder(path.parent)
        path.mkdir(exist_ok=True)
        give_to_owner(path)
